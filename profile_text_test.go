package trulioo_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

// Only a nil mask shows what people wrote and whom lists name.
func TestTextMasksWhateverIsPersonal(t *testing.T) {
	t.Parallel()
	const profile = `{"id":"CANARY-id","status":"ACCEPTED","notes":[{"text":"CANARY-note","createdBy":"CANARY-author","created":"2024-06-10T09:22:43Z"}],
	"tasks":[{"text":"CANARY-task","createdBy":"CANARY-author","resolved":true}],
	"flowData":{"f":{"fieldData":{"a":{"name":"Given name","role":"first_name","value":["CANARY-first","CANARY-second"]},"b":{"normalizedName":"MiddleName","value":["CANARY-middle"]}},
	"fileData":{"c":"ZmxvdyAvY2xpZW50L2VsZW1lbnQvQ0FOQVJZLWZpbGUuanBn"},
	"serviceData":[{"nodeType":"trulioo_person_wl","nodeTitle":"Lists","nodeId":"1","timestamp":1718011363,"fullServiceDetails":{"Record":{"DatasourceResults":[{"DatasourceName":"Watchlist X","AppendedFields":[
	{"FieldName":"WatchlistFullName","Data":"CANARY-searched"},{"FieldName":"WatchlistState","Data":"Potential Hit"},{"FieldName":"WatchlistData","Data":{"num_WL_hits":1,"num_AM_hits":0,"num_PEP_hits":0}},
	{"FieldName":"WatchlistHitDetails","Data":{"WL_results":[{"score":1,"subjectMatched":"CANARY-subject","text":"CANARY-text","URL":"https://CANARY-url"}]}}]}]}}},
	{"nodeType":"trulioo_eidv","nodeTitle":"Person Match","nodeId":"2","timestamp":1718011364,"match":false,"fullServiceDetails":{"InputFields":[{"FieldName":"FirstName","Value":"CANARY-input"}],
	"Record":{"DatasourceResults":[{"DatasourceName":"Agency","DatasourceFields":[{"FieldName":"Dob","Status":"nomatch"}],"Errors":[{"Code":"1001","Message":"CANARY-message"}]}]}}}]}}}`
	var p trulioo.Profile
	require.NoError(t, json.Unmarshal([]byte(profile), &p))

	masked := p.Text(func(string) string { return "MASK" })
	assert.NotContains(t, masked, "CANARY")
	for _, line := range []string{
		"ACCEPTED\n", "Given name                   MASK\n", "or, in another place       MASK\n", "MiddleName                   MASK\n", "done       MASK\n",
		"2024-06-10 09:22             MASK\n", "c                            MASK\n", "WL 1.00 MASK, Watchlist X\n", "Watchlist X                  potential hit  2024-06-10 09:22\n",
		"Person Match                 no match       2024-06-10 09:22\n", "Agency                     0 of 1 fields match; not: Dob\n", "error 1001 of Agency\n",
	} {
		assert.Contains(t, masked, line)
	}
	assert.NotContains(t, masked, "Lists", "a screening is no check: its match would be read as the opposite")

	shown := p.Text(nil)
	for _, value := range []string{"first", "second", "middle", "file", "note", "task", "subject", "message"} {
		assert.Contains(t, shown, "CANARY-"+value)
	}
	assert.NotContains(t, shown, "CANARY-id")
}

// A terminal obeys control characters, and direction marks reverse the text around them:
// neither is printed, wherever it is.
func TestTextHoldsNoControlCharacters(t *testing.T) {
	t.Parallel()
	const evil = `\u001b]0;x\u0007\u009b2J\r\n\u202etxet\u2028\u0000`
	profile := strings.ReplaceAll(`{"status":"EVIL","notes":[{"text":"EVIL"}],"tasks":[{"text":"EVIL"}],"flowData":{"f":{"fieldData":{"a":{"name":"EVIL","value":["EVIL"]}},"fileData":{"EVIL":"EVIL"},
	"serviceData":[{"nodeType":"EVIL","nodeTitle":"EVIL","match":true,"fullServiceDetails":{"Record":{"DatasourceResults":[{"DatasourceName":"EVIL","DatasourceFields":[{"FieldName":"EVIL","Status":"nomatch"}],"Errors":[{"Code":"EVIL","Message":"EVIL"}]}]}}},
	{"nodeType":"x_wl","nodeTitle":"EVIL","watchlistResults":{"EVIL":{"watchlistStatus":"Hit","watchlistHitDetails":{"WL_results":[{"subjectMatched":"EVIL","sourceAgencyName":"EVIL"}]}}}}]}}}`, "EVIL", evil)
	var p trulioo.Profile
	require.NoError(t, json.Unmarshal([]byte(profile), &p))
	text := p.Text(nil)
	for _, r := range text {
		if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028') {
			t.Fatalf("%U is printed", r)
		}
	}
	assert.Greater(t, strings.Count(text, "txet"), 10, "the rest of the text is there")
}

// Each client of a fake account has a text, in which each check is listed once.
func TestTextOfAWholeAccount(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	for _, id := range srv.Live.IDs() {
		raw, ok := srv.Live.Profile(id, true)
		require.True(t, ok)
		var p trulioo.Profile
		require.NoError(t, json.Unmarshal(raw, &p))
		text := p.Text(nil)
		for _, answer := range p.Values(trulioo.RoleEmail) {
			assert.Contains(t, text, answer.Value)
		}
		checks := len(p.Services()) - len(p.Screenings())
		_, listed, _ := strings.Cut(text, "\nChecks\n")
		listed, _, _ = strings.Cut(listed, "\n\n")
		found := 0
		for line := range strings.Lines(listed) {
			if strings.HasPrefix(line, "  ") && line[2] != ' ' {
				found++
			}
		}
		assert.Equal(t, checks, found, text)
	}
	assert.Equal(t, "no status\ncreated at no known time, changed at no known time\nwatchlists, all together: unknown\n\nEntered\n  nothing\n", trulioo.Profile{}.Text(trulioo.Mask))
}
