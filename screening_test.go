package trulioo_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
)

// The fields that a watchlist's source appends, and the parts of a check around them.
const (
	noHit       = `{"FieldName":"WatchlistState","Data":"No Hit"}`
	potential   = `{"FieldName":"WatchlistState","Data":"Potential Hit"}`
	oneAnnounce = `{"FieldName":"WatchlistData","Data":{"num_WL_hits":1,"num_AM_hits":0,"num_PEP_hits":0}}`
	oneHit      = `{"FieldName":"WatchlistHitDetails","Data":{"WL_results":[{"score":0.9,"subjectMatched":"A NAME"}],"AM_results":[],"PEP_results":[]}}`
	clearList   = `{"watchlistStatus":"No Hit","watchlistHitDetails":{"wlHitsNumber":0,"amHitsNumber":0,"pepHitsNumber":0}}`
	hitList     = `{"watchlistStatus":"Potential Hit","watchlistHitDetails":{"wlHitsNumber":1,"amHitsNumber":0,"pepHitsNumber":0}}`
	watchRule   = `"Rule":{"RuleName":"RuleScript - WatchlistRules_v1"}`
)

// source is one data source's result with appended fields.
func source(name, appended string, more ...string) string {
	return `{"DatasourceName":"` + name + `","AppendedFields":[` + appended + `]` + comma(more) + `}`
}

func comma(members []string) string {
	if len(members) == 0 {
		return ""
	}
	return "," + strings.Join(members, ",")
}

// personWL is a check of a person with a record of these sources.
func personWL(match, sources string, more ...string) string {
	status := map[string]string{"true": "match", "false": "nomatch"}[match]
	return `{"nodeId":"n","nodeType":"trulioo_person_wl","match":` + match + `,"fullServiceDetails":{"TransactionID":"t","Record":{"RecordStatus":"` + status +
		`",` + watchRule + `,"DatasourceResults":[` + sources + `]}}` + comma(more) + `}`
}

// advanced is a check of a person with one list.
func advanced(match, appended string, more ...string) string {
	return personWL(match, source("Advanced Watchlist", appended), more...)
}

func results(lists string) string { return `"watchlistResults":` + lists }

func packed(times int, value string) string {
	for range times {
		quoted, err := json.Marshal(value)
		if err != nil {
			panic(err)
		}
		value = string(quoted)
	}
	return value
}

func screenedProfile(t *testing.T, services string) *trulioo.Profile {
	t.Helper()
	return decodeProfile(t, []byte(`{"id":"c","flowData":{"f":{"serviceData":[`+services+`]}}}`))
}

// Each row is one check, with its outcome and the reasons, which are compared whole.
func TestScreenings(t *testing.T) {
	t.Parallel()
	const (
		failed      = "a data source, the record or the transaction reports an error"
		notListed   = "not all announced hits are listed"
		field       = "a watchlist's data could not be read"
		hit         = "a hit could not be read"
		details     = "the full service details could not be read, and may hide a hit"
		contradicts = "the check contradicts itself about whether there is a hit"
		numbers     = "the check contradicts itself about the number of hits"
		noMatch     = "the record did not match, and no list says why"
		silent      = "nothing says that there is no hit"
		silentList  = "one of several lists does not say that there is no hit"
		twice       = "a name occurs twice, with two values"
		unfinished  = "the check is not completed"
		misplaced   = "watchlist data stand in an unexpected place"
		state       = "a watchlist's state is an unknown word"
	)
	tests := []struct {
		name, check string
		outcome     trulioo.ScreeningOutcome
		why         string
		hits        int
	}{
		// Clear, in the vendor's words.
		{"state and match", advanced("true", noHit), trulioo.ScreeningClear, "", 0},
		{"state, match and summary", advanced("true", noHit, results(`{"Advanced Watchlist":`+clearList+`}`)), trulioo.ScreeningClear, "", 0},
		{"state without match", advanced("null", noHit), trulioo.ScreeningClear, "", 0},
		{"match under the rule alone", advanced("true", ``), trulioo.ScreeningClear, "", 0},
		{"match without a rule", `{"nodeType":"trulioo_person_wl","match":true}`, trulioo.ScreeningClear, "", 0},
		{"summary alone", `{"watchlistResults":{"Advanced Watchlist":` + clearList + `}}`, trulioo.ScreeningClear, "", 0},
		{"status alone", `{"nodeType":"x_WL","watchlistResults":{"A":{"watchlistStatus":"NO HIT"}}}`, trulioo.ScreeningClear, "", 0},
		{"flat summary", `{"watchlistResults":` + clearList + `}`, trulioo.ScreeningClear, "", 0},
		{"numbers alone, in strings", `{"watchlistResults":{"A":{"num_WL_hits":"0","num_AM_hits":0.0,"num_PEP_hits":0}}}`, trulioo.ScreeningClear, "", 0},
		{"two sources, both clear", personWL("true", source("Advanced Watchlist", noHit)+","+source("International Watchlist", noHit)), trulioo.ScreeningClear, "", 0},
		{"a field that nobody knows", advanced("true", noHit+`,{"FieldName":"Latency","Data":{"n":9007199254740993}}`, `"x-new":{"a":[1.5,null]}`), trulioo.ScreeningClear, "", 0},
		{"only the second rule matched", `{"nodeType":"trulioo_person_wl","match":null,"secondaryMatch":true}`, trulioo.ScreeningUnknown, silent, 0},
		{"only the second rule's record matched", `{"nodeType":"trulioo_person_wl","fullServiceDetails":{"Record":{"SecondaryRecordStatus":"match","DatasourceResults":[]}}}`, trulioo.ScreeningUnknown, silent, 0},
		{"a hit, and a name given twice", advanced("false", potential+`,`+oneAnnounce+`,`+oneHit+`,{"FieldName":"Latency","Data":1,"Data":2}`), trulioo.ScreeningUnknown, twice, 1},
		{"an identity check with a watchlist", `{"nodeType":"trulioo_eidv","match":false,"fullServiceDetails":{"Record":{"RecordStatus":"nomatch","Rule":{"RuleName":"1+1"},"DatasourceResults":[` +
			source("Citizen 2", ``, `"Errors":[{"Code":"1000"}]`) + `,` + source("International Watchlist", noHit) + `]}}}`, trulioo.ScreeningClear, "", 0},
		{"details packed in strings", `{"nodeType":"trulioo_person_wl","match":true,"fullServiceDetails":` +
			packed(3, `{"Record":{"DatasourceResults":[`+source("Advanced Watchlist", noHit)+`]}}`) + `}`, trulioo.ScreeningClear, "", 0},

		// Hits.
		{"hit details", advanced("false", potential+","+oneAnnounce+","+oneHit), trulioo.ScreeningPotentialHit, "", 1},
		{"hit details and summary", advanced("false", potential+","+oneAnnounce+","+oneHit, results(`{"Advanced Watchlist":`+hitList+`}`)), trulioo.ScreeningPotentialHit, "", 1},
		{"hit details without a state", advanced("null", oneHit), trulioo.ScreeningPotentialHit, "", 1},
		{"the older list's text", personWL("false", source("International Watchlist", `{"FieldName":"WatchlistState","Data":"Hit"},{"FieldName":"WatchlistData","Data":"List A|http://a.example\tList B|http://b.example"}`)),
			trulioo.ScreeningConfirmedHit, "", 2},
		{"numbers without details", advanced("false", potential+`,{"FieldName":"WatchlistData","Data":{"num_WL_hits":3}}`), trulioo.ScreeningPotentialHit, notListed, 0},
		{"state without numbers", advanced("false", potential), trulioo.ScreeningPotentialHit, notListed, 0},
		{"fewer listed than announced", advanced("false", potential+`,{"FieldName":"WatchlistData","Data":{"num_WL_hits":2,"num_AM_hits":0,"num_PEP_hits":0}},`+oneHit),
			trulioo.ScreeningPotentialHit, notListed, 1},
		{"summary knows alone", `{"nodeType":"trulioo_person_wl","fullServiceDetails":{"TransactionID":"","Record":{"RecordStatus":"","DatasourceResults":null}},` +
			results(`{"Advanced Watchlist":{"watchlistStatus":"Potential Hit","watchlistHitDetails":{"wlHitsNumber":2}}}`) + `}`, trulioo.ScreeningPotentialHit, notListed, 0},
		{"flat summary with a hit", `{"nodeType":"trulioo_person_wl","watchlistResults":{"watchlistStatus":"Potential Hit","wlHitsNumber":2}}`, trulioo.ScreeningPotentialHit, notListed, 0},
		{"numbers in a summary", `{"watchlistResults":{"Advanced Watchlist":{"watchlistHitDetails":{"num_WL_hits":3}}}}`, trulioo.ScreeningPotentialHit, notListed, 0},
		{"numbers directly in a summary", `{"watchlistResults":{"Advanced Watchlist":{"num_PEP_hits":1}}}`, trulioo.ScreeningPotentialHit, notListed, 0},
		{"one of two lists", personWL("false", source("A Watchlist", noHit)+","+source("B Watchlist", potential+","+oneHit)), trulioo.ScreeningPotentialHit, "", 1},
		{"one of two lists, the other silent", personWL("false", source("A Watchlist", ``)+","+source("B Watchlist", potential+","+oneHit)), trulioo.ScreeningPotentialHit, silentList, 1},
		{"one of two sources failed", personWL("false", source("A Watchlist", ``, `"Errors":[{"Code":1002}]`)+","+source("B Watchlist", potential+","+oneHit)),
			trulioo.ScreeningPotentialHit, failed + "; " + silentList, 1},
		{"lower case and spaces", advanced("false", `{"FieldName":"watchlist hit details","Data":{"wl_results":[{"subjectMatched":"A NAME"}]}}`), trulioo.ScreeningPotentialHit, "", 1},
		{"packed five times", advanced("false", `{"FieldName":"WatchlistHitDetails","Data":`+packed(5, `{"WL_results":[{"score":1}]}`)+`}`), trulioo.ScreeningPotentialHit, "", 1},
		{"a hit that is a string", advanced("false", `{"FieldName":"WatchlistHitDetails","Data":{"WL_results":["A NAME"]}}`), trulioo.ScreeningPotentialHit, hit, 1},
		{"a list of hits of a new kind", advanced("false", `{"FieldName":"WatchlistHitDetails","Data":{"SANCTION_results":[{"score":1}]}}`), trulioo.ScreeningPotentialHit, hit, 1},
		{"a field of another name", advanced("null", `{"FieldName":"Other","Data":{"WL_results":[{"score":9}]}}`), trulioo.ScreeningPotentialHit, field, 1},
		{"appended fields as an object", personWL("false", `{"DatasourceName":"d","AppendedFields":{"WatchlistHitDetails":{"WL_results":[{"score":1}]}}}`), trulioo.ScreeningPotentialHit, field, 1},
		{"record as an array", `{"nodeType":"trulioo_person_wl","fullServiceDetails":{"Record":[{"DatasourceResults":[` + source("d", oneHit) + `]}]}}`, trulioo.ScreeningPotentialHit, details, 1},
		{"details without a record", `{"nodeType":"trulioo_person_wl","fullServiceDetails":{"DatasourceResults":[` + source("d", oneHit) + `]}}`, trulioo.ScreeningPotentialHit, misplaced + "; " + details, 2},
		{"another type of check", `{"nodeType":"new_kind","fullServiceDetails":{"Record":{"DatasourceResults":[` + source("sanctions WATCHLIST 7", potential+","+oneHit) + `]}}}`, trulioo.ScreeningPotentialHit, "", 1},

		{"a field that nobody knows, everywhere", `{"x-new":{"a":[1.5,null,"ü"]},"nodeType":"trulioo_person_wl","match":false,"fullServiceDetails":{"x-new":[1],"Record":{"x-new":{"n":7},"DatasourceResults":[` +
			source("Advanced Watchlist", potential+`,{"x-new":{"a":[1,"ü"]},"FieldName":"WatchlistHitDetails","Data":{"x-new":{"a":[1.5,null,"ü"],"n":7},"WL_results":[{"score":1}]}}`, `"x-new":"y"`) + `]}},` +
			results(`{"Advanced Watchlist":{"x-new":{"a":[1]},"watchlistStatus":"Potential Hit","watchlistHitDetails":{"x-new":{"a":[1.5,null,"ü"]},"wlHitsNumber":1}}}`) + `}`, trulioo.ScreeningPotentialHit, "", 1},

		// Unknown.
		{"words among hit details", advanced("null", `{"FieldName":"WatchlistHitDetails","Data":["A NAME",{"WL_results":[]}]}`), trulioo.ScreeningUnknown, hit, 0},
		{"source failed", personWL("false", source("Advanced Watchlist", ``, `"Errors":[{"Code":"1002","Message":"Datasource Unavailable"}]`)), trulioo.ScreeningUnknown, failed, 0},
		{"source failed, all else clear", personWL("true", source("Advanced Watchlist", noHit, `"Errors":[{}]`)), trulioo.ScreeningUnknown, failed, 0},
		{"one of two clear sources failed", personWL("true", source("A Watchlist", noHit)+","+source("B Watchlist", ``, `"Errors":"down"`)), trulioo.ScreeningUnknown, failed, 0},
		{"error of the record", `{"nodeType":"trulioo_person_wl","match":true,"fullServiceDetails":{"Record":{"Errors":[{"Code":5}],"RecordStatus":"match"}}}`, trulioo.ScreeningUnknown, failed, 0},
		{"error of the transaction", `{"nodeType":"trulioo_person_wl","match":true,"fullServiceDetails":{"Errors":[{"Code":5}],"Record":{"RecordStatus":"match"}}}`, trulioo.ScreeningUnknown, failed, 0},
		{"service failed", advanced("true", noHit, `"serviceStatus":"FAILED"`), trulioo.ScreeningUnknown, unfinished, 0},
		{"service pending", advanced("true", noHit, `"serviceStatus":["COMPLETED"]`), trulioo.ScreeningUnknown, unfinished, 0},
		{"no match and no more", `{"nodeType":"trulioo_kyb_wl","match":false}`, trulioo.ScreeningUnknown, noMatch, 0},
		{"nothing at all", `{"nodeType":"TRULIOO_NEW_WL"}`, trulioo.ScreeningUnknown, silent, 0},
		{"empty summary", `{"watchlistResults":{}}`, trulioo.ScreeningUnknown, silent, 0},
		{"empty hit details", advanced("null", `{"FieldName":"WatchlistHitDetails","Data":{"WL_results":[],"AM_results":[],"PEP_results":[]}}`), trulioo.ScreeningUnknown, silent, 0},
		{"two of three numbers", `{"watchlistResults":{"A":{"wlHitsNumber":0,"pepHitsNumber":0}}}`, trulioo.ScreeningUnknown, silent, 0},
		{"a match under another rule", `{"nodeType":"trulioo_person_wl","match":true,"fullServiceDetails":{"Record":{"RecordStatus":"match","Rule":{"RuleName":"1+1"},"DatasourceResults":[]}}}`,
			trulioo.ScreeningUnknown, silent, 0},
		{"a match for two lists", personWL("true", source("A Watchlist", noHit)+","+source("B Watchlist", ``)), trulioo.ScreeningUnknown, silentList, 0},
		{"a match and a hit", advanced("true", potential+","+oneHit), trulioo.ScreeningUnknown, contradicts, 1},
		{"no hit and no match", advanced("false", noHit), trulioo.ScreeningUnknown, contradicts, 0},
		{"no hit, and a hit listed", advanced("null", noHit+","+oneHit), trulioo.ScreeningUnknown, contradicts, 1},
		{"no hit, and a summary with a hit", advanced("true", noHit, results(`{"Advanced Watchlist":`+hitList+`}`)), trulioo.ScreeningUnknown, contradicts + "; " + notListed, 0},
		{"a hit, and a clear summary", advanced("false", potential+","+oneAnnounce+","+oneHit, results(`{"Advanced Watchlist":`+clearList+`}`)), trulioo.ScreeningUnknown, contradicts + "; " + numbers, 1},
		{"a hit, and all numbers 0", `{"watchlistResults":{"A":{"watchlistStatus":"Potential Hit","wlHitsNumber":0,"amHitsNumber":0,"pepHitsNumber":0}}}`, trulioo.ScreeningUnknown, contradicts + "; " + notListed, 0},
		{"numbers that differ", advanced("false", potential+","+oneAnnounce+","+oneHit, results(`{"Advanced Watchlist":{"wlHitsNumber":2}}`)), trulioo.ScreeningUnknown, numbers + "; " + notListed, 1},
		{"more listed than announced", advanced("false", potential+`,{"FieldName":"WatchlistData","Data":{"num_WL_hits":1}},{"FieldName":"WatchlistHitDetails","Data":{"WL_results":[{"score":1},{"score":2}]}}`),
			trulioo.ScreeningUnknown, "more hits are listed than announced", 2},
		{"the second rule says no", advanced("true", noHit, `"secondaryMatch":false`), trulioo.ScreeningUnknown, contradicts, 0},
		{"a state twice", advanced("null", `{"FieldName":"WatchlistState","Data":"Potential Hit","Data":"No Hit"}`), trulioo.ScreeningUnknown, twice + "; " + contradicts + "; " + notListed, 0},
		{"a match twice", `{"nodeType":"trulioo_person_wl","match":false,"match":true}`, trulioo.ScreeningUnknown, twice + "; " + contradicts, 0},
		{"a summary twice", `{"watchlistResults":{"A":` + hitList + `},"watchlistResults":{"A":` + clearList + `}}`, trulioo.ScreeningUnknown, twice + "; " + contradicts + "; " + numbers + "; " + notListed, 0},
		{"a word that is not known", advanced("true", `{"FieldName":"WatchlistState","Data":"Pending"}`), trulioo.ScreeningUnknown, state, 0},
		{"a state that is an object", advanced("true", `{"FieldName":"WatchlistState","Data":{"a":1}}`), trulioo.ScreeningUnknown, state, 0},
		{"hit details cut off", advanced("true", noHit+`,{"FieldName":"WatchlistHitDetails","Data":"{\"WL_results\":[{\"score\""}`), trulioo.ScreeningUnknown, field, 0},
		{"hit details as words", advanced("true", noHit+`,{"FieldName":"WatchlistHitDetails","Data":"3 hits"}`), trulioo.ScreeningUnknown, field, 0},
		{"watchlist data as words", advanced("true", noHit+`,{"FieldName":"WatchlistData","Data":"3 hits"}`), trulioo.ScreeningUnknown, field, 0},
		{"a negative number", `{"watchlistResults":{"A":{"watchlistStatus":"No Hit","wlHitsNumber":-1,"amHitsNumber":0,"pepHitsNumber":0}}}`, trulioo.ScreeningUnknown, field, 0},
		{"no number", `{"watchlistResults":{"A":{"watchlistStatus":"No Hit","wlHitsNumber":"none"}}}`, trulioo.ScreeningUnknown, field, 0},
		{"an empty hit", advanced("true", noHit+`,{"FieldName":"WatchlistHitDetails","Data":{"WL_results":[{}]}}`), trulioo.ScreeningUnknown, hit, 0},
		{"a summary that is a word", `{"watchlistResults":{"Advanced Watchlist":"No Hit"}}`, trulioo.ScreeningUnknown, field, 0},
		{"summaries that are words", `{"nodeType":"trulioo_person_wl","match":true,"watchlistResults":"none"}`, trulioo.ScreeningUnknown, field, 0},
		{"a source status that is not known", personWL("true", source("Advanced Watchlist", noHit, `"DatasourceStatus":"timeout"`)), trulioo.ScreeningUnknown, "a data source's status is an unknown word", 0},
		{"a match that is no answer", `{"nodeType":"trulioo_person_wl","match":"maybe","watchlistResults":{"A":` + clearList + `}}`, trulioo.ScreeningUnknown, "whether the record matched could not be read", 0},
		{"details cut off", `{"nodeType":"trulioo_person_wl","match":true,"fullServiceDetails":"{\"Record\":{"}`, trulioo.ScreeningUnknown, details, 0},
		{"details of another check that are not understood", `{"nodeType":"trulioo_eidv","match":true,"fullServiceDetails":[1]}`, trulioo.ScreeningUnknown, details, 0},
		{"about watchlists, elsewhere", `{"nodeType":"trulioo_eidv","match":true,"newWatchlistSummary":{"n":1}}`, trulioo.ScreeningUnknown, misplaced, 0},
	}
	require.GreaterOrEqual(t, len(tests), 40)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			profile := screenedProfile(t, test.check)
			screenings := profile.Screenings()
			require.Len(t, screenings, 1)
			got := screenings[0]
			assert.Equal(t, test.outcome.String(), got.Outcome.String())
			assert.Equal(t, test.why, got.Why)
			assert.Len(t, got.Hits, test.hits)
			assert.Equal(t, test.why == "", got.Complete)
			assert.Equal(t, "f", got.Service.FlowID)
			assert.Equal(t, test.outcome, profile.ScreeningOutcome())

			hits, err := profile.WatchlistHits()
			assert.Len(t, hits, test.hits)
			assertScreeningError(t, err, test.outcome, test.why == "")
		})
	}
}

// assertScreeningError checks that the error is nil only where everything is known.
func assertScreeningError(t *testing.T, err error, outcome trulioo.ScreeningOutcome, complete bool) {
	t.Helper()
	if complete {
		require.NotEqual(t, trulioo.ScreeningUnknown, outcome)
		require.NoError(t, err)
		return
	}
	require.ErrorIs(t, err, trulioo.ErrScreeningUnknown)
	told, ok := errors.AsType[*trulioo.ScreeningError](err)
	require.True(t, ok)
	assert.Equal(t, 1, told.Checks)
	assert.Equal(t, 1, told.Unknown+told.Incomplete)
	assert.Equal(t, outcome.Hit(), told.Incomplete == 1)
	assert.Contains(t, err.Error(), "1 of 1")
}

// A check that is not a watchlist check is no screening, and makes nobody clear.
func TestNoScreening(t *testing.T) {
	t.Parallel()
	for name, services := range map[string]string{
		"none":              ``,
		"nulls":             `null,{},[],""`,
		"identity check":    `{"nodeType":"trulioo_eidv","match":true,"fullServiceDetails":{"Record":{"RecordStatus":"match","DatasourceResults":[` + source("Citizen 2", ``) + `]}}}`,
		"title of its own":  `{"nodeType":"trulioo_doc_v","nodeTitle":"Watchlist exemption","match":true,"fullServiceDetails":{"Record":{}}}`,
		"what was searched": `{"nodeType":"trulioo_eidv","fullServiceDetails":{"InputFields":[{"FieldName":"Watchlist","Value":"watchlist"}],"Record":{"DatasourceResults":[]}}}`,
		"null summary":      `{"nodeType":"trulioo_doc_v","watchlistResults":null,"fullServiceDetails":{"Record":{}}}`,
	} {
		profile := screenedProfile(t, services)
		assert.Empty(t, profile.Screenings(), name)
		assert.Equal(t, trulioo.ScreeningUnknown, profile.ScreeningOutcome(), name)
		if _, err := profile.WatchlistHits(); name != "nulls" { // those have no details
			require.NoError(t, err, name)
		}
	}
	assert.Equal(t, trulioo.ScreeningUnknown, trulioo.Profile{}.ScreeningOutcome())
}

// A profile in which a check cannot be seen is unknown, and not without one.
func TestWhereAScreeningCannotBeSeen(t *testing.T) {
	t.Parallel()
	service := advanced("false", potential+","+oneAnnounce+","+oneHit)
	const inServices = "serviceData could not be read, and may hide a check"
	for name, test := range map[string]struct{ profile, why string }{
		"serviceData as text":          {`{"flowData":{"f":{"serviceData":"see the report"}}}`, inServices},
		"serviceData as JSON in text":  {`{"flowData":{"f":{"serviceData":` + packed(1, `[`+service+`]`) + `}}}`, inServices},
		"serviceData as an object":     {`{"flowData":{"f":{"serviceData":` + service + `}}}`, inServices},
		"serviceData by node":          {`{"flowData":{"f":{"serviceData":{"n":` + service + `}}}}`, inServices},
		"serviceData as a number":      {`{"flowData":{"f":{"serviceData":7}}}`, inServices},
		"flowData as an array":         {`{"flowData":[{"id":"f","serviceData":[` + service + `]}]}`, "flowData could not be read, and may hide a check"},
		"flowData as text":             {`{"flowData":"none"}`, "flowData could not be read, and may hide a check"},
		"a flow as text":               {`{"flowData":{"f":"none"}}`, "a flow could not be read, and may hide a check"},
		"a flow as an array":           {`{"flowData":{"f":[` + service + `]}}`, "a flow could not be read, and may hide a check"},
		"a service as text":            {`{"flowData":{"f":{"serviceData":[` + packed(1, service) + `]}}}`, "a service result could not be read, and may hide a check"},
		"a service in an array":        {`{"flowData":{"f":{"serviceData":[[` + service + `]]}}}`, "a service result could not be read, and may hide a check"},
		"serviceData of another name":  {`{"flowData":{"f":{"services":[` + service + `]}}}`, "watchlist data stand in an unexpected place"},
		"flowData of another name":     {`{"flows":{"f":{"serviceData":[` + service + `]}}}`, "watchlist data stand in an unexpected place"},
		"a check beside the flows":     {`{"watchlistChecks":[` + service + `]}`, "watchlist data stand in an unexpected place"},
		"too many values to look at":   {`{"flowData":{"f":{"serviceData":[` + strings.Repeat("0,", 1<<20) + service + `]}}}`, "the profile could not be read"},
		"nested beyond what is parsed": {`{"x":` + strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001) + `}`, "the profile could not be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			profile := trulioo.Profile{Raw: json.RawMessage(test.profile)}
			screenings := profile.Screenings()
			require.Len(t, screenings, 1)
			assert.NotEqual(t, trulioo.ScreeningClear, screenings[0].Outcome)
			assert.Contains(t, screenings[0].Why, test.why)
			assert.False(t, screenings[0].Complete)
			assert.NotEqual(t, trulioo.ScreeningClear, profile.ScreeningOutcome())
			if strings.Contains(test.profile, "A NAME") && !strings.Contains(name, "too many") {
				assert.NotEmpty(t, screenings[0].Hits, "what looks like a hit is listed")
			}
			_, err := profile.WatchlistHits()
			require.ErrorIs(t, err, trulioo.ErrScreeningUnknown)
		})
	}
}

// A name given twice hides nothing: each is looked at.
func TestAHitBehindASecondMemberIsSeen(t *testing.T) {
	t.Parallel()
	hit, clear := advanced("false", potential+","+oneHit), advanced("true", noHit)
	for _, profile := range []string{
		`{"flowData":{"f":{"serviceData":[` + hit + `]}},"flowData":{"f":{"serviceData":[` + clear + `]}}}`,
		`{"flowData":{"f":{"serviceData":[` + hit + `]},"f":{"serviceData":[` + clear + `]}}}`,
		`{"flowData":{"f":{"serviceData":[` + hit + `],"serviceData":[` + clear + `]}}}`,
		`{"FLOWDATA":{"f":{"ServiceData":[` + hit + `],"service_data":[` + clear + `]}}}`,
	} {
		p := decodeProfile(t, []byte(profile))
		assert.Len(t, p.Screenings(), 2, profile)
		assert.Equal(t, trulioo.ScreeningPotentialHit, p.ScreeningOutcome(), profile)
	}
}

func TestScreeningsAreInOrder(t *testing.T) {
	t.Parallel()
	p := decodeProfile(t, []byte(`{"flowData":{
		"b":{"serviceData":[{"timestamp":20,"nodeId":"1","nodeType":"a_wl"},{"timestamp":10,"nodeId":"2","nodeType":"a_wl"},{"timestamp":20,"nodeId":"3","nodeType":"a_wl"}]},
		"a":{"serviceData":[{"timestamp":20,"nodeId":"4","nodeType":"a_wl"},{"nodeId":"5","nodeType":"a_wl"},{"nodeId":"6","nodeType":"trulioo_eidv"}]}}}`))
	var order []string
	for _, s := range p.Screenings() {
		order = append(order, s.Service.FlowID+s.Service.NodeID)
	}
	assert.Equal(t, []string{"a5", "b2", "a4", "b1", "b3"}, order)
}

func TestScreeningSaysWhoWasSearchedWhereAndHowMany(t *testing.T) {
	t.Parallel()
	who := `{"FieldName":"WatchlistFullName","Data":"A NAME"},`
	p := screenedProfile(t, personWL("false",
		source("Advanced Watchlist", who+potential+","+oneAnnounce+","+oneHit)+","+
			source("International Watchlist", who+`{"FieldName":"WatchlistState","Data":"Hit"},{"FieldName":"WatchlistData","Data":"List A|http://a.example\t List B | http://b.example?x=1|2\t"}`),
		results(`{"Advanced Watchlist":`+hitList+`}`)))
	require.Len(t, p.Screenings(), 1)
	s := p.Screenings()[0]
	assert.Equal(t, "A NAME", s.SearchedName)
	assert.Equal(t, []string{"Advanced Watchlist", "International Watchlist"}, s.Lists)
	assert.Equal(t, trulioo.WatchlistCounts{Watchlist: 1}, s.Announced, "the older list announces nothing")
	assert.Equal(t, trulioo.ScreeningConfirmedHit, s.Outcome)
	assert.Empty(t, s.Why)
	assert.Equal(t, trulioo.NodeTypePersonWatchlist, s.Service.NodeType)
	require.Len(t, s.Hits, 3)
	s.Hits[0].Raw = nil
	assert.Equal(t, []trulioo.WatchlistHit{
		{Kind: "WL", FlowID: "f", NodeID: "n", Datasource: "Advanced Watchlist", Score: 0.9, SubjectMatched: "A NAME"},
		{Kind: "WL", FlowID: "f", NodeID: "n", Datasource: "International Watchlist", SourceListType: "List A", URL: "http://a.example", Raw: json.RawMessage(`"List A|http://a.example"`)},
		{Kind: "WL", FlowID: "f", NodeID: "n", Datasource: "International Watchlist", SourceListType: "List B", URL: "http://b.example?x=1|2", Raw: json.RawMessage(`"List B | http://b.example?x=1|2"`)},
	}, s.Hits)
}

func TestWatchlistHitsHoweverPacked(t *testing.T) {
	t.Parallel()
	const wl = `[{"score":0.97,"subjectMatched":"A","sourceListType":"l","sourceRegion":"r","sourceAgencyName":"g","URL":"u","more":9007199254740993}]`
	const object = `{"PEP_results":[{"score":"0.5","entityName":"C","remarks":"c"}],"WL_results":` + wl + `,"AM_results":[{"score":1,"remarks":"B","text":"An \"article\""}]}`
	for name, data := range map[string]string{
		"object":                   object,
		"JSON in a string":         packed(1, object),
		"JSON in a string, twice":  packed(2, object),
		"in an array":              `[` + object + `]`,
		"in a member":              `{"WatchlistHitDetails":` + object + `}`,
		"strings in an array":      `[` + packed(1, object) + `]`,
		"string in a member":       packed(1, `{"Details":`+packed(1, object)+`}`),
		"lists and hits as JSON":   `{"WL_results":` + packed(1, wl) + `,"AM_results":{"score":1,"remarks":"B","text":"An \"article\""},"PEP_results":[` + packed(1, `{"score":0.5,"entityName":"C","remarks":"c"}`) + `]}`,
		"lists split over objects": `[{"WL_results":` + wl + `},null,{"AM_results":[null,{"score":1,"remarks":"B","text":"An \"article\""}],"PEP_results":null},{"PEP_results":[{"score":0.5,"entityName":"C","remarks":"c"}]}]`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hits, err := screenedProfile(t, advanced("false", `{"FieldName":"WatchlistHitDetails","Data":`+data+`}`)).WatchlistHits()
			require.NoError(t, err)
			byKind := map[trulioo.WatchlistKind]trulioo.WatchlistHit{}
			for _, hit := range hits {
				assert.Equal(t, byte('{'), hit.Raw[0])
				assert.Equal(t, map[bool]string{true: `An "article"`}[hit.Kind == "AM"], hit.Text())
				assert.Equal(t, hit.Kind == "WL", strings.Contains(string(hit.Raw), "9007199254740993"))
				hit.Raw = nil
				byKind[hit.Kind] = hit
			}
			require.Len(t, hits, 3)
			assert.Equal(t, map[trulioo.WatchlistKind]trulioo.WatchlistHit{
				"WL": {Kind: "WL", FlowID: "f", NodeID: "n", Datasource: "Advanced Watchlist", Score: 0.97, SubjectMatched: "A",
					SourceListType: "l", SourceRegion: "r", SourceAgencyName: "g", URL: "u"},
				"AM":  {Kind: "AM", FlowID: "f", NodeID: "n", Datasource: "Advanced Watchlist", Score: 1, SubjectMatched: "B", Remarks: "B"},
				"PEP": {Kind: "PEP", FlowID: "f", NodeID: "n", Datasource: "Advanced Watchlist", Score: 0.5, SubjectMatched: "C", EntityName: "C", Remarks: "c"},
			}, byKind)
			assert.NotContains(t, fmt.Sprintf("%v %+v %#v", hits, hits[0], hits), "article")
		})
	}
}

// Missing details and an outcome that is not known are two things; both can hold.
func TestScreeningErrorNamesHowManyAndWhatIsMissing(t *testing.T) {
	t.Parallel()
	clear, hit := advanced("true", noHit), advanced("false", potential)
	const eidv = `{"nodeType":"trulioo_eidv","match":true}`
	const record = `{"nodeType":"trulioo_eidv","fullServiceDetails":{"Record":{"RecordStatus":"match"}}}`
	tests := map[string]struct {
		services string
		want     *trulioo.ScreeningError
		decode   bool
	}{
		"clear":                         {clear, nil, false},
		"clear by its summary":          {`{"nodeType":"a_wl","match":true,"fullServiceDetails":{},` + results(`{"A":`+clearList+`}`) + `}`, nil, false},
		"no check with details":         {eidv + "," + eidv, &trulioo.ScreeningError{NoDetails: 2}, false},
		"clear, but no check has any":   {eidv + `,{"nodeType":"a_wl","match":true}`, &trulioo.ScreeningError{Checks: 1, NoDetails: 1}, false},
		"one has details":               {eidv + "," + record, nil, false},
		"a watchlist without a record":  {`{"nodeType":"trulioo_kyb_wl","match":false},` + record, &trulioo.ScreeningError{Checks: 1, Unknown: 1, NoDetails: 1}, false},
		"numbers without a record":      {`{"watchlistResults":{"A":{"wlHitsNumber":1}}},` + record, &trulioo.ScreeningError{Checks: 1, Incomplete: 1, NoDetails: 1}, false},
		"two of three":                  {clear + "," + hit + `,{"nodeType":"a_wl","fullServiceDetails":{"Record":{}}}`, &trulioo.ScreeningError{Checks: 3, Unknown: 1, Incomplete: 1}, false},
		"a record that is no object":    {`{"fullServiceDetails":[1]},` + record, &trulioo.ScreeningError{Checks: 1, Unknown: 1}, true},
		"a record that is only words":   {`{"fullServiceDetails":"n/a"},` + record, &trulioo.ScreeningError{Checks: 1, Unknown: 1}, true},
		"a part that is not understood": {`"words",` + record, &trulioo.ScreeningError{Checks: 1, Unknown: 1}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := screenedProfile(t, test.services).WatchlistHits()
			if test.want == nil {
				require.NoError(t, err)
				return
			}
			told, ok := errors.AsType[*trulioo.ScreeningError](err)
			require.True(t, ok)
			assert.Equal(t, test.want, &trulioo.ScreeningError{Checks: told.Checks, Unknown: told.Unknown, Incomplete: told.Incomplete, NoDetails: told.NoDetails})
			assert.Equal(t, test.want.Unknown+test.want.Incomplete > 0, errors.Is(err, trulioo.ErrScreeningUnknown))
			assert.Equal(t, test.want.NoDetails > 0, errors.Is(err, trulioo.ErrNoDetails))
			wrong, ok := errors.AsType[*trulioo.DecodeError](err)
			assert.Equal(t, test.decode, ok)
			if ok {
				assert.Equal(t, "fullServiceDetails", wrong.Path)
			}
		})
	}
	assert.Equal(t, "trulioo: read watchlist hits: the outcome of 1 of 3 watchlist checks is unknown; the list of hits of 1 of 3 is incomplete; "+
		"2 checks have no full service details: GetOptions.FullServiceDetails is not set, or the environment is the test one, which sends none even when asked",
		(&trulioo.ScreeningError{Checks: 3, Unknown: 1, Incomplete: 1, NoDetails: 2}).Error())
	assert.NotEmpty(t, (&trulioo.ScreeningError{}).Error())
}

// A profile without Raw, put together by hand or kept without it, is judged by
// its fields, and the zero values of Go say nothing.
func TestScreeningsOfAProfileWithoutRaw(t *testing.T) {
	t.Parallel()
	p := screenedProfile(t, advanced("false", potential+","+oneHit)+`,{"nodeType":"b_wl","watchlistResults":{"watchlistStatus":"Potential Hit","wlHitsNumber":2}}`)
	p.Raw = nil
	require.Len(t, p.Screenings(), 2)
	assert.Equal(t, trulioo.ScreeningPotentialHit, p.Screenings()[0].Outcome)
	assert.Equal(t, int64(2), p.Screenings()[1].Announced.Watchlist)

	p = &trulioo.Profile{FlowData: map[string]trulioo.Flow{"f": {ServiceData: []trulioo.ServiceResult{
		{NodeType: trulioo.NodeTypePersonWatchlist, WatchlistResults: trulioo.WatchlistResults{"A": {}}},
	}}}}
	assert.Equal(t, trulioo.ScreeningUnknown, p.ScreeningOutcome())
	p.FlowData["f"].ServiceData[0].WatchlistResults["A"] = trulioo.WatchlistResult{WatchlistHitDetails: trulioo.WatchlistCounts{Known: true}}
	assert.Equal(t, trulioo.ScreeningClear, p.ScreeningOutcome())
	p.FlowData["f"].ServiceData[0].FullServiceDetails = json.RawMessage(`{"cut":`)
	require.Len(t, p.Screenings(), 1)
	assert.Equal(t, trulioo.ScreeningUnknown, p.ScreeningOutcome())
}

func TestScreeningOutcomeOfSeveralChecks(t *testing.T) {
	t.Parallel()
	clear, hit, unknown := advanced("true", noHit), advanced("false", potential), `{"nodeType":"a_wl"}`
	confirmed := advanced("false", `{"FieldName":"WatchlistState","Data":"Hit"}`)
	for services, want := range map[string]trulioo.ScreeningOutcome{
		clear:                                      trulioo.ScreeningClear,
		clear + "," + clear:                        trulioo.ScreeningClear,
		clear + "," + unknown:                      trulioo.ScreeningUnknown,
		unknown + "," + clear:                      trulioo.ScreeningUnknown,
		clear + "," + hit:                          trulioo.ScreeningPotentialHit,
		unknown + "," + hit:                        trulioo.ScreeningPotentialHit,
		hit + "," + unknown:                        trulioo.ScreeningPotentialHit,
		hit + "," + confirmed + "," + clear:        trulioo.ScreeningConfirmedHit,
		confirmed + "," + unknown + "," + hit:      trulioo.ScreeningConfirmedHit,
		unknown + "," + unknown + "," + clear:      trulioo.ScreeningUnknown,
		`"words",` + clear:                         trulioo.ScreeningUnknown,
		clear + `,{"nodeType":"trulioo_eidv"}`:     trulioo.ScreeningClear,
		`{"nodeType":"trulioo_eidv","match":true}`: trulioo.ScreeningUnknown,
	} {
		assert.Equal(t, want.String(), screenedProfile(t, services).ScreeningOutcome().String(), services)
	}
}

func TestScreeningOutcomeAsText(t *testing.T) {
	t.Parallel()
	for outcome, text := range map[trulioo.ScreeningOutcome]string{
		0: "unknown", trulioo.ScreeningClear: "clear", trulioo.ScreeningPotentialHit: "potential hit", trulioo.ScreeningConfirmedHit: "confirmed hit", 77: "unknown", -1: "unknown",
	} {
		encoded, err := json.Marshal(outcome)
		require.NoError(t, err)
		assert.JSONEq(t, `"`+text+`"`, string(encoded))
		assert.Equal(t, outcome > 1 && outcome < 4, outcome.Hit())
	}
	for text, want := range map[string]trulioo.ScreeningOutcome{
		"clear": trulioo.ScreeningClear, "potential hit": trulioo.ScreeningPotentialHit, "confirmed hit": trulioo.ScreeningConfirmedHit,
		"unknown": trulioo.ScreeningUnknown, "Clear": trulioo.ScreeningUnknown, "": trulioo.ScreeningUnknown,
	} {
		outcome := trulioo.ScreeningClear
		require.NoError(t, outcome.UnmarshalText([]byte(text)))
		assert.Equal(t, want, outcome, text)
	}
}
