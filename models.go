package trulioo

import (
	"encoding/json"
	"errors"
	"io"

	"github.com/trulioo-go/trulioo/internal/tidy"
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
type EndClient struct {
	// ID is the end client's id, as in a webhook event's ClientID.
	ID string `json:"id"`
	// OwnerIDs are the ids of the owners of the end client.
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
	// User is the vendor's user of the end client.
	User string `json:"user"`

	// Raw is the row as the server sent it. Encoding emits it; clear it to
	// encode changed fields.
	Raw json.RawMessage `json:"-"`
}

// Profile is everything one end client submitted, over all workflows.
type Profile struct {
	// ID is the end client's id.
	ID string `json:"id"`
	// OwnerIDs are the ids of the owners of the end client.
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
	// User is the vendor's user of the end client.
	User string `json:"user"`

	// Raw is the answer as the server sent it, unknown fields and big numbers
	// included. Encoding emits it; clear it to encode changed fields.
	Raw json.RawMessage `json:"-"`
}

// Flow is what an end client submitted through one workflow.
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
type Field struct {
	// ID is the field id.
	ID string `json:"id"`
	// Name is the field's label in the workflow.
	Name string `json:"name"`
	// Value holds the answers; most fields have one.
	Value []string `json:"value"`
	// Role says what the answer means.
	Role Role `json:"role"`
	// NormalizedName is the vendor's machine-readable form of Name.
	NormalizedName string `json:"normalizedName"`
}

// ServiceResult is the outcome of one check, such as an identity verification
// or a watchlist search.
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
	// Match is the outcome; nil where the vendor gave none.
	Match *bool `json:"match"`
	// TransactionInfo identifies the vendor's transaction.
	TransactionInfo TransactionInfo `json:"transactionInfo"`
	// FullServiceDetails is the vendor's record, undecoded; Details decodes it.
	FullServiceDetails json.RawMessage `json:"fullServiceDetails,omitempty"`
	// SecondaryMatch is the outcome of the second check of the same step, such
	// as the fallback of an identity verification; nil where there was none.
	SecondaryMatch *bool `json:"secondaryMatch"`
	// WatchlistResults holds a summary by the list's name, such as "Advanced
	// Watchlist": statuses and numbers of hits. Profile.WatchlistHits has the hits.
	WatchlistResults map[string]WatchlistResult `json:"watchlistResults,omitempty"`

	// FlowID is the id of the flow that the check is part of. It is not in the
	// JSON: decoding a Profile fills it from the key of FlowData.
	FlowID string `json:"-"`
}

// TransactionInfo identifies a check in the vendor's other products.
type TransactionInfo struct {
	// AccountName is the name of the vendor account that ran the check.
	AccountName string `json:"accountName"`
	// AccountIdentifier is the id of that account.
	AccountIdentifier string `json:"accountIdentifier"`
	// CountryCode is the country that was searched.
	CountryCode string `json:"countryCode"`
	// Date is when the transaction ran, in the vendor's own format.
	Date string `json:"date"`
	// ShareableToken lets others see the transaction.
	ShareableToken string `json:"shareableToken"`
	// TransactionID is the transaction's id.
	TransactionID string `json:"transactionId"`
	// TransactionRecordID is the id of the transaction's record.
	TransactionRecordID string `json:"transactionRecordId"`
	// UserName is the vendor account's user that ran the check.
	UserName string `json:"userName"`
}

// WatchlistResult is the summary of a search of one list.
type WatchlistResult struct {
	// WatchlistStatus is the list's outcome in the vendor's words, such as "No Hit".
	WatchlistStatus string `json:"watchlistStatus"`
	// WatchlistHitDetails holds the numbers of hits.
	WatchlistHitDetails WatchlistCounts `json:"watchlistHitDetails"`
}

// WatchlistCounts are numbers of hits. They are counts and not the hits, which
// Profile.WatchlistHits has.
type WatchlistCounts struct {
	// Watchlist is the number of hits on sanction and other watchlists.
	Watchlist int64 `json:"wlHitsNumber"`
	// AdverseMedia is the number of hits in the news.
	AdverseMedia int64 `json:"amHitsNumber"`
	// PEP is the number of hits on lists of politically exposed persons.
	PEP int64 `json:"pepHitsNumber"`
}

// Note is what somebody of the account wrote down about an end client.
type Note struct {
	// ID is the note's id.
	ID string `json:"id"`
	// Text is what was written.
	Text string `json:"text"`
	// CreatedBy is who wrote it.
	CreatedBy string `json:"createdBy"`
	// Created is when it was written.
	Created Time `json:"created"`
}

// Task is what somebody of the account has to do about an end client.
type Task struct {
	// ID is the task's id.
	ID string `json:"id"`
	// Text is what there is to do.
	Text string `json:"text"`
	// Resolved says that it is done.
	Resolved bool `json:"resolved"`
	// CreatedBy is who made the task.
	CreatedBy string `json:"createdBy"`
	// UpdatedBy is who last changed it.
	UpdatedBy string `json:"updatedBy"`
	// Created is when the task was made.
	Created Time `json:"created"`
	// Updated is when it last changed.
	Updated Time `json:"updated"`
}

// The same fields without the methods, so that decoding scans a document once
// and does not come back to UnmarshalJSON.
type (
	plainWorkflow  Workflow
	plainEndClient EndClient
	plainProfile   Profile
)

// UnmarshalJSON decodes one workflow and keeps a copy of data as Raw. As
// encoding/json wants it, null changes nothing.
func (w *Workflow) UnmarshalJSON(data []byte) error { return decodeCopy(data, w.decode) }

// UnmarshalJSON decodes one end client and keeps a copy of data as Raw. As
// encoding/json wants it, null changes nothing.
func (c *EndClient) UnmarshalJSON(data []byte) error { return decodeCopy(data, c.decode) }

// UnmarshalJSON decodes one profile and keeps a copy of data as Raw. As
// encoding/json wants it, null changes nothing.
func (p *Profile) UnmarshalJSON(data []byte) error { return decodeCopy(data, p.decode) }

// MarshalJSON emits Raw where there is one, so that decode, encode, decode
// loses nothing; else the fields.
func (w Workflow) MarshalJSON() ([]byte, error) { return encode(w.Raw, plainWorkflow(w)) }

// MarshalJSON emits Raw where there is one, so that decode, encode, decode
// loses nothing; else the fields.
func (c EndClient) MarshalJSON() ([]byte, error) { return encode(c.Raw, plainEndClient(c)) }

// MarshalJSON emits Raw where there is one, so that decode, encode, decode
// loses nothing; else the fields.
func (p Profile) MarshalJSON() ([]byte, error) { return encode(p.Raw, plainProfile(p)) }

// decode fills w from raw and keeps raw, which the caller hands over.
func (w *Workflow) decode(raw []byte) error {
	*w = Workflow{}
	raw = tidy.TrimBOM(raw)
	if err := decodeJSON(raw, (*plainWorkflow)(w)); err != nil {
		return err
	}
	w.Raw = raw
	return nil
}

// decode fills c from raw and keeps raw, which the caller hands over.
func (c *EndClient) decode(raw []byte) error {
	*c = EndClient{}
	raw = tidy.TrimBOM(raw)
	if err := decodeJSON(raw, (*plainEndClient)(c)); err != nil {
		return err
	}
	c.Raw = raw
	return nil
}

// decode fills p from raw and keeps raw, which the caller hands over.
func (p *Profile) decode(raw []byte) error {
	*p = Profile{}
	raw = tidy.TrimBOM(raw)
	if err := decodeJSON(raw, (*plainProfile)(p)); err != nil {
		return err
	}
	p.Raw = raw
	for id, flow := range p.FlowData {
		for i := range flow.ServiceData {
			flow.ServiceData[i].FlowID = id
		}
	}
	return nil
}

func decodeCopy(data []byte, decode func([]byte) error) error {
	if string(data) == "null" {
		return nil
	}
	return decode(append([]byte(nil), data...))
}

func encode(raw json.RawMessage, fields any) ([]byte, error) {
	if len(raw) > 0 {
		return raw, nil
	}
	return json.Marshal(fields)
}

// decodeJSON decodes one whole JSON value into v, tolerant of untidy leaves,
// and turns what is wrong into a *DecodeError without an operation.
func decodeJSON(data []byte, v any) error {
	err := tidy.Unmarshal(data, v)
	if err == nil {
		return nil
	}
	wrong, ok := errors.AsType[*tidy.Error](err)
	if !ok {
		return &DecodeError{Reason: "not understood"}
	}
	decodeErr := &DecodeError{Path: wrong.Path, Reason: wrong.Reason}
	if wrong.Truncated {
		decodeErr.cause = io.ErrUnexpectedEOF
	}
	return decodeErr
}
