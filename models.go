package trulioo

import (
	"encoding/json"
	"errors"

	"github.com/trulioo-go/trulioo/internal/wire"
)

// Workflow is one row of the list of workflows.
type Workflow struct {
	// ID is the flow id, which ClientListOptions.FlowID takes.
	ID string `json:"id"`
	// Name is the workflow's name in the builder.
	Name string `json:"name"`
	// Corporate says that the workflow is about businesses rather than people.
	Corporate bool `json:"corporate"`
	// Published says that end clients can use the workflow.
	Published bool `json:"published"`
	// Created is when the workflow was made.
	Created Time `json:"created"`

	// Raw is the row as the server sent it. Encoding emits it; clear it to
	// encode changed fields.
	Raw json.RawMessage `json:"-"`
}

// EndClient is one row of the list of clients: a person or business that went
// through a workflow, without the answers. Get has those.
//
//trulioo:redact
type EndClient struct {
	// ID is the end client's id, as in a webhook event's ClientID.
	ID string `json:"id"`
	// OwnerIDs are the ids of the owners of the end client. The vendor does not say
	// what they are ids of. By a guess they are end clients, the people who own a
	// business, whom Clients.Get finds.
	OwnerIDs []string `json:"ownerIds"`
	// Created is when the end client first appeared.
	Created Time `json:"created"`
	// LastModified is when the end client last changed.
	LastModified Time `json:"lastModified"`
	// ProfileType is the kind of profile.
	ProfileType ProfileType `json:"profileType"`
	// Status is how far the end client got.
	Status Status `json:"status"`
	// StatusManuallyChanged says that somebody set Status by hand.
	StatusManuallyChanged bool `json:"statusManuallyChanged"`
	// User is the account's identifier at the vendor, the same as the token's
	// account_identifier claim, in live answers. It is not a person.
	User string `json:"user"`

	// Raw is the row as the server sent it. Encoding emits it; clear it to
	// encode changed fields.
	Raw json.RawMessage `json:"-"`
}

// Profile is everything one end client submitted, over all workflows.
//
//trulioo:redact
type Profile struct {
	// ID is the end client's id.
	ID string `json:"id"`
	// OwnerIDs are the ids of the owners of the end client. The vendor does not say
	// what they are ids of. By a guess they are end clients, the people who own a
	// business, whom Clients.Get finds.
	OwnerIDs []string `json:"ownerIds"`
	// Created is when the end client first appeared.
	Created Time `json:"created"`
	// LastModified is when the end client last changed.
	LastModified Time `json:"lastModified"`
	// ProfileType is the kind of profile.
	ProfileType ProfileType `json:"profileType"`
	// Status is how far the end client got.
	Status Status `json:"status"`
	// StatusManuallyChanged says that somebody set Status by hand.
	StatusManuallyChanged bool `json:"statusManuallyChanged"`
	// FlowData holds what was submitted, by flow id.
	FlowData map[string]Flow `json:"flowData"`
	// Notes are what the account's people wrote down about the end client.
	Notes []Note `json:"notes"`
	// Tasks are what the account's people have to do about the end client.
	Tasks []Task `json:"tasks"`
	// User is the account's identifier at the vendor, the same as the token's
	// account_identifier claim, in live answers. It is not a person.
	User string `json:"user"`

	// Raw is the answer as the server sent it, unknown fields and big numbers
	// included. Encoding emits it; clear it to encode changed fields.
	Raw json.RawMessage `json:"-"`
}

// Flow is what an end client submitted through one workflow.
//
//trulioo:redact
type Flow struct {
	// ID is the flow id.
	ID string `json:"id"`
	// Completed says that the end client reached the end of the workflow.
	Completed bool `json:"completed"`
	// FieldData holds the answers, by field id.
	FieldData map[string]Field `json:"fieldData"`
	// FileData holds one file key by field id. Profile.Files lists them all.
	FileData map[string]string `json:"fileData"`
	// EnhancedFileData holds file keys by field id, several for each.
	EnhancedFileData map[string][]string `json:"enhancedFileData"`
	// ServiceData holds the results of the checks that ran.
	ServiceData []ServiceResult `json:"serviceData"`
}

// Field is one field of a workflow with what the end client entered.
//
//trulioo:redact
type Field struct {
	// ID is the field id.
	ID string `json:"id"`
	// Name is the field's label in the workflow.
	Name string `json:"name"`
	// Value holds the answers; most fields have one.
	Value []string `json:"value"`
	// Role says what the answer means.
	Role Role `json:"role"`
	// NormalizedName is the vendor's own name of the field, such as "MiddleName"
	// or "PassportNumber". Live fields have a role, or this, or only a Name.
	NormalizedName string `json:"normalizedName"`
}

// ServiceResult is the outcome of one check, such as an identity verification
// or a watchlist search.
//
//trulioo:redact
type ServiceResult struct {
	// Timestamp is when the check ran.
	Timestamp Time `json:"timestamp"`
	// ServiceStatus is how far the check got.
	ServiceStatus ServiceStatus `json:"serviceStatus"`
	// NodeID is the id of the workflow's step that ran the check.
	NodeID string `json:"nodeId"`
	// NodeTitle is that step's title.
	NodeTitle string `json:"nodeTitle"`
	// NodeType is the kind of check.
	NodeType NodeType `json:"nodeType"`
	// Match is whether the vendor's record matched under its rule; nil where the
	// vendor does not say. For an identity check that means that the person was
	// found. For a watchlist check true means CLEAR, that is on no list, and false
	// that there may be a hit or that the search failed: read Profile.Screenings.
	Match *bool `json:"match"`
	// TransactionInfo identifies the vendor's transaction.
	TransactionInfo TransactionInfo `json:"transactionInfo"`
	// FullServiceDetails is the vendor's record, undecoded; Details decodes it.
	FullServiceDetails json.RawMessage `json:"fullServiceDetails,omitzero"`
	// SecondaryMatch is likely the outcome of a second rule on the same record, as
	// ServiceRecord.SecondaryRecordStatus is; nil where there was none.
	SecondaryMatch *bool `json:"secondaryMatch"`
	// WatchlistResults holds the vendor's summary by the list's name, such as
	// "Advanced Watchlist": statuses and numbers of hits. Profile.Screenings
	// judges it together with all else that the check says.
	WatchlistResults WatchlistResults `json:"watchlistResults,omitempty"`

	// FlowID is the id of the flow that the check is part of. It is not in the
	// JSON: decoding a Profile fills it from the key of FlowData.
	FlowID string `json:"-"`
}

// TransactionInfo identifies a check in the vendor's other products.
//
//trulioo:redact
type TransactionInfo struct {
	// AccountName is the name of the vendor account that ran the check.
	AccountName string `json:"accountName"`
	// AccountIdentifier is the id of that account.
	AccountIdentifier string `json:"accountIdentifier"`
	// CountryCode is the country that was searched.
	CountryCode string `json:"countryCode"`
	// Date is when the transaction ran. The test half of an account sends the
	// same date of 2022 for everybody.
	Date Time `json:"date"`
	// ShareableToken lets others see the transaction.
	ShareableToken string `json:"shareableToken"`
	// TransactionID is the transaction's id.
	TransactionID string `json:"transactionId"`
	// TransactionRecordID is the id of the transaction's record.
	TransactionRecordID string `json:"transactionRecordId"`
	// UserName is the vendor account's user that ran the check.
	UserName string `json:"userName"`
}

// Note is what somebody of the account wrote down about an end client.
//
//trulioo:redact
type Note struct {
	// ID is the note's id.
	ID string `json:"id"`
	// Text is the note's text.
	Text string `json:"text"`
	// CreatedBy is the writer.
	CreatedBy string `json:"createdBy"`
	// Created is when it was written.
	Created Time `json:"created"`
}

// Task is what somebody of the account has to do about an end client.
//
//trulioo:redact
type Task struct {
	// ID is the task's id.
	ID string `json:"id"`
	// Text says what to do.
	Text string `json:"text"`
	// Resolved says that it is done.
	Resolved bool `json:"resolved"`
	// CreatedBy made the task.
	CreatedBy string `json:"createdBy"`
	// UpdatedBy last changed it.
	UpdatedBy string `json:"updatedBy"`
	// Created is when the task was made.
	Created Time `json:"created"`
	// Updated is when it last changed.
	Updated Time `json:"updated"`
}

// The types from here on are open sets: the constants are the values seen so
// far, and any other value passes through as it is. Decoding brings the known
// ones to the constant's spelling whatever their case; Raw keeps the bytes.

// Status is how far an end client got.
type Status string

// The known statuses.
const (
	StatusAccepted      Status = "ACCEPTED"
	StatusRejected      Status = "REJECTED"
	StatusPending       Status = "PENDING"
	StatusPendingReview Status = "PENDING_REVIEW"
	StatusAbandoned     Status = "ABANDONED"
	StatusCompleted     Status = "COMPLETED"
	StatusFailed        Status = "FAILED"
)

// ServiceStatus is how far a check got.
type ServiceStatus string

// ServiceStatusCompleted is the known service status: the check has a result.
const ServiceStatusCompleted ServiceStatus = "COMPLETED"

// ProfileType is a kind of profile.
type ProfileType string

// ProfileTypeNormal is the known kind of profile.
const ProfileTypeNormal ProfileType = "NORMAL"

// Role says what the answer in a field means. Field.Role has the spelling that
// the account's form uses; Profile.Value and Values find both spellings of a
// city, and both of a postal code, by either constant.
type Role string

// The known roles.
const (
	RoleFirstName                   Role = "first_name"
	RoleLastName                    Role = "last_name"
	RoleSecondLastName              Role = "second_last_name"
	RoleFullName                    Role = "full_name"
	RoleDateOfBirth                 Role = "dob"
	RoleAddressCountry              Role = "address_country"
	RoleExternalCustomerID          Role = "external_customer_id"
	RoleAddress1                    Role = "address_1"
	RoleCity                        Role = "city"
	RoleAddressCity                 Role = "address_city" // RoleCity in live forms
	RoleAddressState                Role = "address_state"
	RolePostalCode                  Role = "postal_code"
	RoleAddressZIP                  Role = "address_zip" // RolePostalCode in live forms
	RoleEmail                       Role = "email"
	RolePhone                       Role = "phone"
	RoleNationalID                  Role = "national_id_nr"
	RoleSocialServiceNumber         Role = "social_service_number"
	RoleCompanyName                 Role = "company_name"
	RoleCompanyNumber               Role = "company_nr"
	RoleCompanyEmail                Role = "company_email"
	RoleCompanyVAT                  Role = "company_vat"
	RoleCompanyCountryIncorporation Role = "company_country_incorporation"
	RoleCompanyState                Role = "company_state"
	RoleCompanyCity                 Role = "company_city"
	RoleCompanyZIP                  Role = "company_zip"
	RoleCompanyFullAddress          Role = "company_address_full"
)

// NodeType is the kind of check that a step of a workflow runs. One that ends
// in "_wl" is a watchlist check.
type NodeType string

// The known node types.
const (
	NodeTypePersonWatchlist   NodeType = "trulioo_person_wl"
	NodeTypeBusinessWatchlist NodeType = "trulioo_business_wl"
	NodeTypeKYBWatchlist      NodeType = "trulioo_kyb_wl"
	NodeTypeEIDV              NodeType = "trulioo_eidv" // an identity verification
	NodeTypeKYBInsights       NodeType = "trulioo_kyb_insights"
	NodeTypeDocumentCheck     NodeType = "trulioo_doc_v"
)

// UnmarshalJSON takes any value; a known one gets the constant's spelling.
func (s *Status) UnmarshalJSON(data []byte) error { return statuses.Decode(data, s) }

// UnmarshalJSON takes any value; a known one gets the constant's spelling.
func (s *ServiceStatus) UnmarshalJSON(data []byte) error { return serviceStatuses.Decode(data, s) }

// UnmarshalJSON takes any value; a known one gets the constant's spelling.
func (t *ProfileType) UnmarshalJSON(data []byte) error { return profileTypes.Decode(data, t) }

// UnmarshalJSON takes any value; a known one gets the constant's spelling.
func (r *Role) UnmarshalJSON(data []byte) error { return roles.Decode(data, r) }

// UnmarshalJSON takes any value; a known one gets the constant's spelling.
func (t *NodeType) UnmarshalJSON(data []byte) error { return nodeTypes.Decode(data, t) }

var (
	statuses = wire.Of(StatusAccepted, StatusRejected, StatusPending, StatusPendingReview,
		StatusAbandoned, StatusCompleted, StatusFailed)
	serviceStatuses = wire.Of(ServiceStatusCompleted)
	profileTypes    = wire.Of(ProfileTypeNormal)
	roles           = wire.Of(RoleFirstName, RoleLastName, RoleSecondLastName, RoleFullName,
		RoleDateOfBirth, RoleAddressCountry, RoleExternalCustomerID, RoleAddress1, RoleCity,
		RoleAddressCity, RoleAddressState, RolePostalCode, RoleAddressZIP, RoleEmail, RolePhone,
		RoleNationalID, RoleSocialServiceNumber, RoleCompanyName, RoleCompanyNumber, RoleCompanyEmail,
		RoleCompanyVAT, RoleCompanyCountryIncorporation, RoleCompanyState, RoleCompanyCity,
		RoleCompanyZIP, RoleCompanyFullAddress)
	nodeTypes = wire.Of(NodeTypePersonWatchlist, NodeTypeBusinessWatchlist,
		NodeTypeKYBWatchlist, NodeTypeEIDV, NodeTypeKYBInsights, NodeTypeDocumentCheck)
)

// These types have the same fields without the methods, so that decoding scans a
// document once and does not come back to UnmarshalJSON.
type (
	plainWorkflow  Workflow
	plainEndClient EndClient
	plainProfile   Profile
)

// Keep makes Raw a copy of just its size: a row that is kept must not hold its page.
func (w *plainWorkflow) Keep(raw []byte) { w.Raw = exactly(raw) }

// Keep makes Raw a copy of just its size: a row that is kept must not hold its page.
func (c *plainEndClient) Keep(raw []byte) { c.Raw = exactly(raw) }

// UnmarshalJSON decodes one workflow and keeps a copy of data as Raw. null changes
// nothing, as encoding/json demands.
func (w *Workflow) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	*w = Workflow{}
	return decodeJSON(data, (*plainWorkflow)(w))
}

// UnmarshalJSON decodes one end client and keeps a copy of data as Raw. null changes
// nothing, as encoding/json demands.
func (c *EndClient) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	*c = EndClient{}
	return decodeJSON(data, (*plainEndClient)(c))
}

// UnmarshalJSON decodes one profile and keeps a copy of data as Raw. null changes
// nothing, as encoding/json demands. A reader of stored profiles may call it with a
// line: json.Unmarshal of Go 1.26 scans a document twice before it calls this.
func (p *Profile) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	return p.decode(exactly(data))
}

// MarshalJSON emits Raw where there is one, so that decode, encode, decode
// loses nothing; else the fields.
func (w Workflow) MarshalJSON() ([]byte, error) { return encode(w.Raw, plainWorkflow(w)) }

// MarshalJSON emits Raw where there is one, so that decode, encode, decode
// loses nothing; else the fields.
func (c EndClient) MarshalJSON() ([]byte, error) { return encode(c.Raw, plainEndClient(c)) }

// MarshalJSON emits Raw where there is one, so that decode, encode, decode
// loses nothing; else the fields.
func (p Profile) MarshalJSON() ([]byte, error) { return encode(p.Raw, plainProfile(p)) }

// decode fills p from raw and keeps raw, without a byte order mark. The caller must
// not use raw afterwards.
func (p *Profile) decode(raw []byte) error {
	raw = wire.TrimBOM(raw)
	*p = Profile{}
	err := decodeJSON(raw, (*plainProfile)(p))
	if err == nil {
		p.Raw = raw
	}
	for id, flow := range p.FlowData {
		for i := range flow.ServiceData {
			flow.ServiceData[i].FlowID = id
		}
	}
	return err
}

// exactly copies data into memory of just its size; append would round the size up.
func exactly(data []byte) []byte {
	kept := make([]byte, len(data))
	copy(kept, data)
	return kept
}

func encode(raw json.RawMessage, fields any) ([]byte, error) {
	if len(raw) > 0 {
		return raw, nil
	}
	return wire.Marshal(fields)
}

// decodeJSON decodes one whole JSON value into v, tolerant of untidy leaves. Its
// error is a *DecodeError without an operation.
func decodeJSON(data []byte, v any) error { return decodeError(wire.Unmarshal(data, v)) }

// decodeError turns an error of package wire into a *DecodeError without an operation.
func decodeError(err error) error {
	if wrong, ok := errors.AsType[*wire.Error](err); ok {
		return &DecodeError{Path: wrong.Path, Reason: wrong.Reason, cause: wrong.Err}
	}
	return err
}
