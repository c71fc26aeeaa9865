package trulioo

import (
	"strings"

	"github.com/trulioo-go/trulioo/internal/tidy"
)

// The types of this file are open sets: the constants are the values seen so
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

// Role says what the answer in a field means.
type Role string

// The known roles.
const (
	RoleFirstName                   Role = "first_name"
	RoleLastName                    Role = "last_name"
	RoleFullName                    Role = "full_name"
	RoleDateOfBirth                 Role = "dob"
	RoleAddressCountry              Role = "address_country"
	RoleExternalCustomerID          Role = "external_customer_id"
	RoleAddress1                    Role = "address_1"
	RoleCity                        Role = "city"
	RolePostalCode                  Role = "postal_code"
	RoleEmail                       Role = "email"
	RolePhone                       Role = "phone"
	RoleNationalID                  Role = "national_id_nr"
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

// NodeType is the kind of check that a step of a workflow runs.
type NodeType string

// The known node types.
const (
	NodeTypePersonWatchlist   NodeType = "trulioo_person_wl"
	NodeTypeBusinessWatchlist NodeType = "trulioo_business_wl"
	NodeTypeKYBInsights       NodeType = "trulioo_kyb_insights"
	NodeTypeDocumentCheck     NodeType = "trulioo_doc_v"
)

// MatchStatus is what a record, or one field of it, came to in the vendor's record.
type MatchStatus string

// The known match statuses.
const (
	MatchStatusMatch   MatchStatus = "match"
	MatchStatusNoMatch MatchStatus = "nomatch"
	MatchStatusMissing MatchStatus = "missing" // the data source has no such field
)

// UnmarshalJSON takes any value; a known one gets the constant's spelling.
func (s *Status) UnmarshalJSON(data []byte) error { return statuses.decode(data, s) }

// UnmarshalJSON takes any value; a known one gets the constant's spelling.
func (s *ServiceStatus) UnmarshalJSON(data []byte) error { return serviceStatuses.decode(data, s) }

// UnmarshalJSON takes any value; a known one gets the constant's spelling.
func (t *ProfileType) UnmarshalJSON(data []byte) error { return profileTypes.decode(data, t) }

// UnmarshalJSON takes any value; a known one gets the constant's spelling.
func (r *Role) UnmarshalJSON(data []byte) error { return roles.decode(data, r) }

// UnmarshalJSON takes any value; a known one gets the constant's spelling.
func (t *NodeType) UnmarshalJSON(data []byte) error { return nodeTypes.decode(data, t) }

// UnmarshalJSON takes any value; a known one gets the constant's spelling.
func (s *MatchStatus) UnmarshalJSON(data []byte) error { return matchStatuses.decode(data, s) }

var (
	statuses = newOpenSet(StatusAccepted, StatusRejected, StatusPending, StatusPendingReview,
		StatusAbandoned, StatusCompleted, StatusFailed)
	serviceStatuses = newOpenSet(ServiceStatusCompleted)
	profileTypes    = newOpenSet(ProfileTypeNormal)
	roles           = newOpenSet(RoleFirstName, RoleLastName, RoleFullName, RoleDateOfBirth,
		RoleAddressCountry, RoleExternalCustomerID, RoleAddress1, RoleCity, RolePostalCode,
		RoleEmail, RolePhone, RoleNationalID, RoleCompanyName, RoleCompanyNumber, RoleCompanyEmail,
		RoleCompanyVAT, RoleCompanyCountryIncorporation, RoleCompanyState, RoleCompanyCity,
		RoleCompanyZIP, RoleCompanyFullAddress)
	nodeTypes = newOpenSet(NodeTypePersonWatchlist, NodeTypeBusinessWatchlist,
		NodeTypeKYBInsights, NodeTypeDocumentCheck)
	matchStatuses = newOpenSet(MatchStatusMatch, MatchStatusNoMatch, MatchStatusMissing)
)

// openSet finds a known value by the constant's spelling and by the lower-case one.
type openSet[T ~string] map[string]T

func newOpenSet[T ~string](known ...T) openSet[T] {
	set := make(openSet[T], 2*len(known))
	for _, value := range known {
		set[string(value)] = value
		set[strings.ToLower(string(value))] = value
	}
	return set
}

// decode sets value from a JSON string, number or boolean, and clears it for
// anything else. The constant's own spelling costs no allocation.
func (set openSet[T]) decode(data []byte, value *T) error {
	if n := len(data); n > 2 && data[0] == '"' {
		if known, ok := set[string(data[1:n-1])]; ok {
			*value = known
			return nil
		}
	}
	*value = set.canonical(tidy.Text(data))
	return nil
}

// canonical gives the constant for a known value in any case, and else text.
func (set openSet[T]) canonical(text string) T {
	if known, ok := set[strings.ToLower(text)]; ok {
		return known
	}
	return T(text)
}
