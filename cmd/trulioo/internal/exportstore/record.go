// Package exportstore keeps people outside of the account: in a folder, a database, or a table
// in a file. A person who is kept already and has not changed is not fetched again.
package exportstore

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/trulioo-go/trulioo"
)

// Record is one client in a row. The tables, the CSV file, the Parquet file and
// the index of a folder all have these columns, in this order and under these names.
type Record struct {
	Account       string    `json:"account" parquet:"account"`                                         // a digest of the account, or sandbox-live
	ClientID      string    `json:"client_id" parquet:"client_id"`                                     // the end client's id
	Status        string    `json:"status" parquet:"status"`                                           // such as ACCEPTED
	ByHand        bool      `json:"status_by_hand" parquet:"status_by_hand"`                           // somebody set the status
	ProfileType   string    `json:"profile_type" parquet:"profile_type"`                               // such as NORMAL
	Created       time.Time `json:"created,omitzero" parquet:"created,optional,timestamp"`             // UTC; zero where the vendor has none
	LastModified  time.Time `json:"last_modified,omitzero" parquet:"last_modified,optional,timestamp"` // UTC, as listed when the profile was fetched
	Workflows     string    `json:"workflows" parquet:"workflows"`                                     // ids, separated by a space
	FirstName     string    `json:"first_name" parquet:"first_name"`
	LastName      string    `json:"last_name" parquet:"last_name"`
	FullName      string    `json:"full_name" parquet:"full_name"`
	DateOfBirth   string    `json:"date_of_birth" parquet:"date_of_birth"`
	Email         string    `json:"email" parquet:"email"`
	Phone         string    `json:"phone" parquet:"phone"`
	Country       string    `json:"country" parquet:"country"`
	City          string    `json:"city" parquet:"city"`
	CompanyName   string    `json:"company_name" parquet:"company_name"`
	CompanyNumber string    `json:"company_number" parquet:"company_number"`
	ExternalID    string    `json:"external_id" parquet:"external_id"` // the customer number of the account's own system
	Screening     string    `json:"screening" parquet:"screening"`     // clear, hit, unknown, or empty where nobody was screened
	Hits          int64     `json:"hits" parquet:"hits"`
	Checks        int64     `json:"checks" parquet:"checks"`
	ChecksMatched int64     `json:"checks_matched" parquet:"checks_matched"`
	FailedSources string    `json:"failed_sources" parquet:"failed_sources"` // data sources with an error or a field that does not match, separated by "; "
	Files         int64     `json:"files" parquet:"files"`
	Notes         int64     `json:"notes" parquet:"notes"`
	OpenTasks     int64     `json:"open_tasks" parquet:"open_tasks"`
	Details       bool      `json:"details" parquet:"details"`         // fetched with full service details
	FilesSaved    bool      `json:"files_saved" parquet:"files_saved"` // the files lie in the folder
}

// Columns are the names of Record's fields, in order.
func Columns() []string {
	return []string{"account", "client_id", "status", "status_by_hand", "profile_type", "created", "last_modified", "workflows",
		"first_name", "last_name", "full_name", "date_of_birth", "email", "phone", "country", "city", "company_name", "company_number",
		"external_id", "screening", "hits", "checks", "checks_matched", "failed_sources", "files", "notes", "open_tasks", "details", "files_saved"}
}

// pointers are the record's fields in the order of Columns.
func (r *Record) pointers() []any {
	return []any{&r.Account, &r.ClientID, &r.Status, &r.ByHand, &r.ProfileType, &r.Created, &r.LastModified, &r.Workflows,
		&r.FirstName, &r.LastName, &r.FullName, &r.DateOfBirth, &r.Email, &r.Phone, &r.Country, &r.City, &r.CompanyName, &r.CompanyNumber,
		&r.ExternalID, &r.Screening, &r.Hits, &r.Checks, &r.ChecksMatched, &r.FailedSources, &r.Files, &r.Notes, &r.OpenTasks, &r.Details, &r.FilesSaved}
}

// Several separates answers that contradict each other in one column.
const Several = " | "

// NewRecord puts a profile into a row. row is the list's, and its date is kept: a change
// after the list was read must show as a change the next time.
func NewRecord(account string, row *trulioo.EndClient, p *trulioo.Profile, details bool) Record {
	r := Record{
		Account: account, ClientID: p.ID, Status: string(p.Status), ByHand: p.StatusManuallyChanged, ProfileType: string(p.ProfileType),
		Created: p.Created.UTC(), LastModified: row.LastModified.UTC(),
		FirstName: entered(p, trulioo.RoleFirstName), LastName: entered(p, trulioo.RoleLastName), FullName: entered(p, trulioo.RoleFullName),
		DateOfBirth: entered(p, trulioo.RoleDateOfBirth),
		Email:       entered(p, trulioo.RoleEmail, trulioo.RoleCompanyEmail), Phone: entered(p, trulioo.RolePhone),
		Country: entered(p, trulioo.RoleAddressCountry, trulioo.RoleCompanyCountryIncorporation),
		City:    entered(p, trulioo.RoleCity, trulioo.RoleCompanyCity), CompanyName: entered(p, trulioo.RoleCompanyName),
		CompanyNumber: entered(p, trulioo.RoleCompanyNumber), ExternalID: entered(p, trulioo.RoleExternalCustomerID),
		Files: int64(len(p.Files())), Notes: int64(len(p.Notes)), Details: details,
	}
	for id := range p.FlowData {
		r.Workflows += " " + id
	}
	ids := strings.Fields(r.Workflows)
	slices.Sort(ids)
	r.Workflows = strings.Join(ids, " ")
	for _, task := range p.Tasks {
		if !task.Resolved {
			r.OpenTasks++
		}
	}
	r.checks(p)
	r.Screening, r.Hits = screening(p)
	return r
}

// entered is the answer to the first of the roles that has one.
func entered(p *trulioo.Profile, roles ...trulioo.Role) string {
	for _, role := range roles {
		var values []string
		for _, answer := range p.Values(role) {
			if value := strings.TrimSpace(answer.Value); !slices.Contains(values, value) {
				values = append(values, value)
			}
		}
		if len(values) > 0 {
			return strings.Join(values, Several)
		}
	}
	return ""
}

func (r *Record) checks(p *trulioo.Profile) {
	var failed []string
	for _, service := range p.Services() {
		r.Checks++
		if service.Match != nil && *service.Match {
			r.ChecksMatched++
		}
		details, err := service.Details()
		if err != nil {
			continue
		}
		for _, source := range details.Record.DatasourceResults {
			if name := source.DatasourceName; SourceFailed(source) && !slices.Contains(failed, name) {
				failed = append(failed, name)
			}
		}
	}
	slices.Sort(failed)
	r.FailedSources = strings.Join(failed, "; ")
}

// SourceFailed reports whether a data source had an error or a field that does not match.
func SourceFailed(source trulioo.DatasourceResult) bool {
	return len(source.Errors) > 0 || slices.ContainsFunc(source.DatasourceFields, func(f trulioo.DatasourceField) bool {
		return f.Status == trulioo.MatchStatusNoMatch
	})
}

// lineOf is a record as a line of an index or of an unfinished file.
func lineOf(r Record) ([]byte, error) {
	line, err := json.Marshal(r)
	return append(line, '\n'), err
}
