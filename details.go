package trulioo

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/trulioo-go/trulioo/internal/wire"
)

// ServiceDetails is the vendor's transaction record of one check. The vendor
// does not document it: the fields are those seen in running integrations, and
// Raw has the rest.
//
//trulioo:redact
type ServiceDetails struct {
	// TransactionID is the transaction's id.
	TransactionID string `json:"TransactionID"`
	// UploadedDt is when the transaction came in.
	UploadedDt Time `json:"UploadedDt"`
	// CompletedDt is when it was done.
	CompletedDt Time `json:"CompletedDt"`
	// CountryCode is the country that was searched.
	CountryCode string `json:"CountryCode"`
	// ProductName is the vendor's product, such as "Identity Verification".
	ProductName string `json:"ProductName"`
	// UserGUID is the id of the vendor account's user.
	UserGUID string `json:"UserGUID"`
	// AccountIdentifier is the id of the vendor account.
	AccountIdentifier string `json:"AccountIdentifier"`
	// CustomerReferenceID is the account's own id of the person, as entered in
	// the field of RoleExternalCustomerID.
	CustomerReferenceID string `json:"CustomerReferenceID"`
	// Errors are those of the whole transaction.
	Errors []ServiceError `json:"Errors"`
	// InputFields are the values that were searched for.
	InputFields []InputField `json:"InputFields"`
	// Record is the result.
	Record ServiceRecord `json:"Record"`

	// Raw is the record as the server sent it, out of any string that it was
	// packed in. It shares its memory with ServiceResult.FullServiceDetails.
	Raw json.RawMessage `json:"-"`
}

// InputField is one value that was searched for.
//
//trulioo:redact
type InputField struct {
	// FieldName is the vendor's name of the field, such as "FirstGivenName".
	FieldName string `json:"FieldName"`
	// Value is the value that was searched for.
	Value string `json:"Value"`
}

// ServiceRecord is the result of a check.
//
//trulioo:redact
type ServiceRecord struct {
	// TransactionRecordID is the record's id.
	TransactionRecordID string `json:"TransactionRecordID"`
	// RecordStatus is the outcome under Rule: MatchStatusMatch or MatchStatusNoMatch.
	// A match of a watchlist check means clear; see ServiceResult.Match.
	RecordStatus MatchStatus `json:"RecordStatus"`
	// SecondaryRecordStatus is the outcome under the rule's second part; "" if
	// the rule has no such part.
	SecondaryRecordStatus MatchStatus `json:"SecondaryRecordStatus"`
	// Errors are those of the record.
	Errors []ServiceError `json:"Errors"`
	// Rule decided the outcome.
	Rule ServiceRule `json:"Rule"`
	// SupplementaryRules are further rules that were looked at.
	SupplementaryRules []ServiceRule `json:"SupplementaryRules"`
	// DatasourceResults are the outcomes by data source.
	DatasourceResults []DatasourceResult `json:"DatasourceResults"`
}

// ServiceRule is a rule by which an outcome was decided.
//
//trulioo:redact
type ServiceRule struct {
	// RuleName is the rule's name.
	RuleName string `json:"RuleName"`
	// Note says what the rule asks for, such as "Watchlist Clear on either
	// International or Advanced Watchlist".
	Note string `json:"Note"`
	// SecondaryRuleName is the name of the rule's second part; "" if the rule has no such part.
	SecondaryRuleName string `json:"SecondaryRuleName"`
	// SecondaryRuleNote says what that part asks for.
	SecondaryRuleNote string `json:"SecondaryRuleNote"`
}

// DatasourceResult is the result of one data source.
//
//trulioo:redact
type DatasourceResult struct {
	// DatasourceName is the data source's name.
	DatasourceName string `json:"DatasourceName"`
	// DatasourceStatus is the outcome at this data source in the vendor's words;
	// live answers leave it out.
	DatasourceStatus string `json:"DatasourceStatus"`
	// DatasourceFields are the outcomes by field.
	DatasourceFields []DatasourceField `json:"DatasourceFields"`
	// AppendedFields are what the data source knows beyond the fields searched for.
	AppendedFields []AppendedField `json:"AppendedFields"`
	// Errors are those of this data source.
	Errors []ServiceError `json:"Errors"`
	// FieldGroups are names of groups of fields; live answers leave them empty.
	FieldGroups []string `json:"FieldGroups"`
}

// DatasourceField is the outcome of one field at one data source.
//
//trulioo:redact
type DatasourceField struct {
	// FieldName is the vendor's name of the field, such as "FirstGivenName".
	FieldName string `json:"FieldName"`
	// Status is MatchStatusMatch, MatchStatusNoMatch or MatchStatusMissing.
	Status MatchStatus `json:"Status"`
	// FieldGroup is the group that the field belongs to; live answers leave it out.
	FieldGroup string `json:"FieldGroup"`
}

// MatchStatus is the outcome of a vendor record, or of one field of it. The set is
// open.
type MatchStatus string

// The known match statuses.
const (
	MatchStatusMatch   MatchStatus = "match"
	MatchStatusNoMatch MatchStatus = "nomatch"
	MatchStatusMissing MatchStatus = "missing" // the data source has no such field
)

var matchStatuses = wire.Of(MatchStatusMatch, MatchStatusNoMatch, MatchStatusMissing)

// UnmarshalJSON takes any value; a known one gets the constant's spelling.
func (s *MatchStatus) UnmarshalJSON(data []byte) error { return matchStatuses.Decode(data, s) }

// AppendedField is one thing that a data source knows beyond the fields searched for.
//
//trulioo:redact
type AppendedField struct {
	// FieldName is the vendor's name of the field, such as "WatchlistHitDetails".
	FieldName string `json:"FieldName"`
	// Data is a string, an object or array, or either as JSON in a string. Text
	// and JSON read it.
	Data json.RawMessage `json:"Data"`
}

// ServiceError is an error that the vendor or a data source reported.
//
//trulioo:redact
type ServiceError struct {
	// Code is the vendor's code; a number on the wire becomes its digits.
	Code string `json:"Code"`
	// Message is the vendor's text.
	Message string `json:"Message"`
}

// UnmarshalJSON takes a code that is a string or a number: both are usual. An
// error that is not an object becomes the Message.
func (e *ServiceError) UnmarshalJSON(data []byte) error {
	type plain ServiceError
	*e = ServiceError{}
	if data[0] == '{' && wire.Unmarshal(data, (*plain)(e)) == nil {
		return nil
	}
	text := wire.Text(data)
	if !strings.HasPrefix(text, "{") || wire.Unmarshal([]byte(text), (*plain)(e)) != nil {
		*e = ServiceError{Message: text}
	}
	return nil
}

// DatasourceError is a ServiceError with the data source that reported it.
//
//trulioo:redact
type DatasourceError struct {
	// Datasource is the data source's name; "" for an error of the record or of
	// the whole transaction.
	Datasource string
	// Code is the vendor's code.
	Code string
	// Message is the vendor's text.
	Message string
}

// Details decodes FullServiceDetails. The error is ErrNoDetails where there are
// none: GetOptions.FullServiceDetails was not set, or the answer is from the test half
// of an account, which sends none even when asked. It is a *DecodeError where they are
// not an object. A record that is packed as JSON in a string is unpacked.
func (s ServiceResult) Details() (*ServiceDetails, error) {
	raw := wire.Unpack(s.FullServiceDetails)
	if wire.IsEmpty(raw) {
		return nil, ErrNoDetails
	}
	details := new(ServiceDetails)
	if err := decodeJSON(raw, details); err != nil {
		return nil, atDetails(err)
	}
	details.Raw = raw
	return details, nil
}

// Matched reports whether the record matched under its rule. For an identity
// check that means that the person was found; for a watchlist check, that the
// person is on NO list. See Profile.Screenings for those.
func (d ServiceDetails) Matched() bool { return d.Record.RecordStatus == MatchStatusMatch }

// DatasourceErrors lists every error of the record: those of the data sources,
// then those of the record and of the whole transaction.
func (d ServiceDetails) DatasourceErrors() []DatasourceError {
	var all []DatasourceError
	add := func(datasource string, reported []ServiceError) {
		for _, e := range reported {
			if e != (ServiceError{}) {
				all = append(all, DatasourceError{datasource, e.Code, e.Message})
			}
		}
	}
	for _, result := range d.Record.DatasourceResults {
		add(result.DatasourceName, result.Errors)
	}
	add("", d.Record.Errors)
	add("", d.Errors)
	return all
}

// Text is Data where it is a plain string, number or boolean, and "" for an
// object or array. JSON in a string is given as the string.
func (f AppendedField) Text() string { return wire.Text(f.Data) }

// JSON is the object or array in Data, out of any strings that it is packed
// in; nil where Data is neither.
func (f AppendedField) JSON() json.RawMessage {
	raw := wire.Unpack(f.Data)
	if len(raw) > 0 && (raw[0] == '{' || raw[0] == '[') {
		return raw
	}
	return nil
}

// atDetails puts the place of a *DecodeError below fullServiceDetails.
func atDetails(err error) error {
	if decodeErr, ok := errors.AsType[*DecodeError](err); ok {
		decodeErr.Operation = OperationDecodeDetails
		decodeErr.Path = strings.TrimSuffix("fullServiceDetails."+decodeErr.Path, ".")
	}
	return err
}
