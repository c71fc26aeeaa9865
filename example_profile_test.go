package trulioo_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

// ada is a short profile: two workflows, two checks with the vendor's record.
const ada = `{
  "id": "ada", "status": "ACCEPTED", "created": 1718011363,
  "flowData": {
    "flow1": {
      "fieldData": {
        "f1": {"name": "First name", "role": "first_name", "value": ["Ada"]},
        "f2": {"name": "Email", "role": "email", "value": ["ada@example.com"]}
      },
      "fileData": {"f3": "Zmxvdy9hZGEvZjMvMjAyMi0wMS0wM1QxMzozNzoxOC43WjEyLmpwZw=="},
      "serviceData": [{
        "timestamp": 1718011390, "serviceStatus": "COMPLETED", "nodeTitle": "Person Match",
        "nodeType": "trulioo_eidv", "match": true,
        "fullServiceDetails": {"Record": {"RecordStatus": "match", "DatasourceResults": [{
          "DatasourceName": "Credit Agency",
          "DatasourceFields": [{"FieldName": "FirstGivenName", "Status": "match"}],
          "Errors": [{"Code": 1001, "Message": "timed out"}]
        }]}}
      }, {
        "timestamp": 1718011400, "serviceStatus": "COMPLETED", "nodeTitle": "Person Watchlist Screening",
        "nodeType": "trulioo_person_wl", "match": false,
        "fullServiceDetails": {"Record": {"RecordStatus": "nomatch", "DatasourceResults": [{
          "DatasourceName": "Advanced Watchlist",
          "AppendedFields": [
            {"FieldName": "WatchlistFullName", "Data": "Ada Lovelace"},
            {"FieldName": "WatchlistState", "Data": "Potential Hit"},
            {"FieldName": "WatchlistHitDetails",
             "Data": "{\"WL_results\":[{\"score\":0.9,\"subjectMatched\":\"Ada L.\",\"sourceAgencyName\":\"Example Agency\"}]}"}],
          "Errors": []
        }]}}
      }]
    },
    "flow2": {"fieldData": {
      "f1": {"name": "First name", "role": "first_name", "value": ["Ada"]},
      "f2": {"name": "Email", "role": "email", "value": ["a.lovelace@example.com"]}
    }}
  }
}`

// A profile with the vendor's full records.
func ExampleClientsService_Get() {
	srv, err := truliootest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	if _, err := srv.Live.Put([]byte(ada)); err != nil {
		fmt.Println(err)
		return
	}

	profile, err := srv.Client().Clients.Get(context.Background(), "ada", &trulioo.GetOptions{FullServiceDetails: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(profile.Status, len(profile.FlowData), "workflows,", string(profile.Raw) == ada)
	fmt.Println(profile) // redacted, as are %+v and slog
	// Output:
	// ACCEPTED 2 workflows, true
	// trulioo.Profile[redacted]
}

// The role finds the answer that was entered. Profiles that were stored as JSON decode
// too.
func ExampleProfile_Value() {
	var profile trulioo.Profile
	if err := json.Unmarshal([]byte(ada), &profile); err != nil {
		fmt.Println(err)
		return
	}
	name, ok := profile.Value(trulioo.RoleFirstName)
	fmt.Println(name, ok)
	_, ok = profile.Value(trulioo.RoleEmail) // two workflows, two answers
	fmt.Println(ok)
	// Output:
	// Ada true
	// false
}

// All answers, each with the workflow that it was entered in.
func ExampleProfile_Values() {
	var profile trulioo.Profile
	if err := json.Unmarshal([]byte(ada), &profile); err != nil {
		fmt.Println(err)
		return
	}
	for _, answer := range profile.Values(trulioo.RoleEmail) {
		fmt.Println(answer.FlowID, answer.Field.Name, answer.Value)
	}
	// Output:
	// flow1 Email ada@example.com
	// flow2 Email a.lovelace@example.com
}

// A whole profile on a screen that others may see. A nil mask shows everything.
func ExampleProfile_Text() {
	var profile trulioo.Profile
	if err := json.Unmarshal([]byte(ada), &profile); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(profile.Text(trulioo.Mask))
	// Output:
	// ACCEPTED
	// created 2024-06-10 09:22, changed at no known time
	// watchlists, all together: potential hit
	//
	// Entered
	//   First name                   A***
	//   Email                        a***
	//     or, in another place       a***
	//
	// Screenings
	//   Advanced Watchlist           potential hit  2024-06-10 09:23
	//     WL 0.90 A*** L***, Example Agency
	//
	// Checks
	//   Person Match                 match          2024-06-10 09:23
	//     Credit Agency              1 of 1 fields match
	//     error 1001 of Credit Agency
	//
	// Files
	//   f3                           2022-**-**
}

// Services lists the checks, and Details how each data source answered.
func ExampleServiceResult_Details() {
	var profile trulioo.Profile
	if err := json.Unmarshal([]byte(ada), &profile); err != nil {
		fmt.Println(err)
		return
	}
	for _, service := range profile.Services() {
		details, err := service.Details()
		if errors.Is(err, trulioo.ErrNoDetails) {
			continue // not asked for with GetOptions.FullServiceDetails
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		if service.NodeType == trulioo.NodeTypeEIDV { // of a watchlist check a match would mean "on no list"
			fmt.Println(service.NodeTitle, details.Matched())
		}
		for _, problem := range details.DatasourceErrors() {
			fmt.Println(problem.Datasource, problem.Code, problem.Message)
		}
	}
	// Output:
	// Person Match true
	// Credit Agency 1001 timed out
}

// Decides whether somebody may be let in. Only ScreeningClear says that nobody has to
// look.
func ExampleProfile_Screenings() {
	var profile trulioo.Profile
	if err := json.Unmarshal([]byte(ada), &profile); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("all checks together:", profile.ScreeningOutcome())
	for _, screening := range profile.Screenings() {
		fmt.Println(screening.Service.NodeTitle, screening.Lists, "searched for", screening.SearchedName)
		fmt.Println(screening.Outcome, "with", len(screening.Hits), "hits; complete:", screening.Complete, screening.Why)
	}
	// Output:
	// all checks together: potential hit
	// Person Watchlist Screening [Advanced Watchlist] searched for Ada Lovelace
	// potential hit with 1 hits; complete: true
}

// Hits come alike, whichever way the vendor packed them.
func ExampleProfile_WatchlistHits() {
	var profile trulioo.Profile
	if err := json.Unmarshal([]byte(ada), &profile); err != nil {
		fmt.Println(err)
		return
	}
	hits, err := profile.WatchlistHits()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, hit := range hits {
		fmt.Println(hit.Kind, hit.SourceAgencyName, hit.SubjectMatched, hit.Score)
	}
	// Output: WL Example Agency Ada L. 0.9
}
