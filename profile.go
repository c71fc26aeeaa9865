package trulioo

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/trulioo-go/trulioo/internal/download"
)

// Answer is one value that an end client entered.
//
//trulioo:redact
type Answer struct {
	// FlowID is the flow that it was entered in.
	FlowID string `json:"flowId"`
	// Field is the field that it was entered in, with its id, name and role.
	Field Field `json:"field"`
	// Value is one of Field.Value, as entered.
	Value string `json:"value"`
}

// FileRef is one file that an end client uploaded.
//
//trulioo:redact
type FileRef struct {
	// FlowID is the flow that it was uploaded in.
	FlowID string `json:"flowId"`
	// Field is the id of the field that it was uploaded in.
	Field string `json:"field"`
	// Key is the key that FilesService.Download and Save take.
	Key string `json:"key"`
}

// Name is a safe file name for the file: the last part of the path in the key,
// cleaned, or one made from a digest of the key where it is not base64 of text.
// Two keys can have the same name. It is personal as Key is.
func (f FileRef) Name() string { return download.NameOfKey(f.Key) }

// UniqueName is Name with a digest of the key before the extension, such as
// "passport-3f9a01c2b4d5e6f7.jpg". No two keys share it, on file systems that
// ignore case or Unicode's normal forms either, and it stays the same whatever
// files a profile gets later. It is personal as Key is.
func (f FileRef) UniqueName() string { return download.UniqueNameOfKey(f.Key) }

// Value returns the answer to the fields of a role, without the white space around
// it. It is ok only if there is an answer and all answers, over all flows and fields,
// agree; Values has them one by one. Further roles are asked for together with the
// first, since accounts' forms collect different answers, as in
// Value(RoleNationalID, RoleSocialServiceNumber). Either constant finds both
// spellings of a city, and both of a postal code.
func (p Profile) Value(role Role, or ...Role) (value string, ok bool) {
	return agreed(p.Values(role, or...))
}

// Values gives every answer to the fields of the roles that is more than white
// space, by flow id, then field id, then as entered. It finds the spellings
// that Value finds.
func (p Profile) Values(role Role, or ...Role) []Answer {
	asked := make([]Role, 0, 1+len(or))
	for _, role := range append([]Role{role}, or...) {
		asked = append(asked, sameRole(role))
	}
	return p.answers(func(field Field) bool { return slices.Contains(asked, sameRole(field.Role)) })
}

// sameRole is the one of several spellings of a role that stands for all. Live
// forms spell a city and a postal code differently from the vendor's examples.
func sameRole(role Role) Role {
	switch role {
	case RoleAddressCity:
		return RoleCity
	case RoleAddressZIP:
		return RolePostalCode
	}
	return role
}

// ValueNamed is Value for fields without a role, by the vendor's normalized name,
// such as MiddleName, PassportNumber, VoterID, DriverLicenceNumber,
// DriverLicenceVersionNumber, BankAccountNumber or Suburb. A field that has
// neither a role nor a normalized name is found by its label. Names are compared
// without regard to case, spaces and punctuation: "Middle Name" is MiddleName.
func (p Profile) ValueNamed(name string) (value string, ok bool) {
	return agreed(p.ValuesNamed(name))
}

// ValuesNamed is Values for the fields that ValueNamed looks at.
func (p Profile) ValuesNamed(name string) []Answer {
	asked := bareName(name)
	if asked == "" {
		return nil
	}
	return p.answers(func(field Field) bool {
		if field.NormalizedName == "" && field.Role == "" {
			return bareName(field.Name) == asked
		}
		return bareName(field.NormalizedName) == asked
	})
}

// bareName is the letters and digits of a name, in lower case.
func bareName(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
}

// agreed is the one answer that all agree on.
func agreed(answers []Answer) (value string, ok bool) {
	for _, answer := range answers {
		trimmed := strings.TrimSpace(answer.Value)
		if ok && trimmed != value {
			return "", false
		}
		value, ok = trimmed, true
	}
	return value, ok
}

// answers gives the answers to the fields that are asked for.
func (p Profile) answers(asked func(Field) bool) []Answer {
	var answers []Answer
	for _, flowID := range sortedKeys(p.FlowData) {
		fields := p.FlowData[flowID].FieldData
		for _, fieldID := range sortedKeys(fields) {
			field := fields[fieldID]
			if !asked(field) {
				continue
			}
			field.ID = cmp.Or(field.ID, fieldID)
			for _, value := range field.Value {
				if strings.TrimSpace(value) != "" {
					answers = append(answers, Answer{flowID, field, value})
				}
			}
		}
	}
	return answers
}

// Files lists the files of FileData and EnhancedFileData by flow id, then
// field id, then as listed there. Each key comes once.
func (p Profile) Files() []FileRef {
	var files []FileRef
	seen := make(map[string]bool)
	for _, flowID := range sortedKeys(p.FlowData) {
		flow := p.FlowData[flowID]
		for _, fieldID := range fileFields(flow) {
			for _, key := range append([]string{flow.FileData[fieldID]}, flow.EnhancedFileData[fieldID]...) {
				if key != "" && !seen[key] {
					seen[key] = true
					files = append(files, FileRef{flowID, fieldID, key})
				}
			}
		}
	}
	return files
}

// Services lists the results of all checks by timestamp, then flow id, then as
// listed in the flow. Each has its FlowID.
func (p Profile) Services() []ServiceResult {
	var services []ServiceResult
	for _, flowID := range sortedKeys(p.FlowData) {
		for _, service := range p.FlowData[flowID].ServiceData {
			service.FlowID = flowID
			services = append(services, service)
		}
	}
	slices.SortStableFunc(services, func(a, b ServiceResult) int {
		return a.Timestamp.Compare(b.Timestamp.Time)
	})
	return services
}

// Check is one check of a profile: an identity check, a document check, a watchlist
// check.
//
//trulioo:redact
type Check struct {
	// Service is the check's result.
	Service ServiceResult
	// Screening is what a watchlist check says; nil where the check is about no
	// watchlist. Show Screening.Outcome then and not Service.Match, which is true
	// where a reader expects false.
	Screening *Screening
}

// Checks is Services, with the one of Screenings that each watchlist check is. Parts
// of the profile that could only hide a check are not among them. Where a watchlist
// check and another one agree in flow, step, time and transaction, both are taken for
// watchlist checks.
func (p Profile) Checks() []Check { return p.checks(p.Screenings()) }

func (p Profile) checks(screenings []Screening) []Check {
	type place struct {
		flow, node, title, transaction string
		kind                           NodeType
		at                             int64
	}
	placeOf := func(s ServiceResult) place {
		return place{s.FlowID, s.NodeID, s.NodeTitle, s.TransactionInfo.TransactionID, s.NodeType, s.Timestamp.UnixMilli()}
	}
	screened := map[place][]*Screening{}
	for i := range screenings {
		if s := &screenings[i]; !s.hidden {
			screened[placeOf(s.Service)] = append(screened[placeOf(s.Service)], s)
		}
	}
	var checks []Check
	for _, service := range p.Services() {
		check, at := Check{Service: service}, placeOf(service)
		if same := screened[at]; len(same) > 0 {
			check.Screening = same[0]
			if len(same) > 1 {
				screened[at] = same[1:] // those of one place come in one order
			}
		}
		checks = append(checks, check)
	}
	return checks
}

// fileFields lists the ids of the fields with files.
func fileFields(flow Flow) []string {
	ids := append(sortedKeys(flow.FileData), sortedKeys(flow.EnhancedFileData)...)
	slices.Sort(ids)
	return slices.Compact(ids)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
