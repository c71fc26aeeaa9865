package trulioo_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

// verdicts are the findings by guess.
func verdicts(d *trulioo.Diagnosis) map[string]trulioo.Finding {
	found := map[string]trulioo.Finding{}
	for _, f := range d.Findings {
		found[f.Guess] = f
	}
	return found
}

func diagnose(t *testing.T, client *trulioo.Client) *trulioo.Diagnosis {
	t.Helper()
	d, err := client.Diagnose(t.Context())
	require.NoError(t, err)
	return d
}

// The sandbox behaves as the library guesses, wherever an answer shows it.
func TestDiagnoseOfAnAccountAsGuessed(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t, truliootest.WithLive(truliootest.NewAccount(truliootest.AccountSpec{Clients: 120, Seed: 3})))
	d := diagnose(t, srv.Client())
	assert.Equal(t, trulioo.Live, d.Environment)
	assert.Equal(t, trulioo.V2, d.APIVersion)
	assert.Equal(t, strings.TrimSuffix(strings.TrimPrefix(srv.BaseURL, "http://"), "/export"), d.Host)
	assert.Equal(t, trulioo.Dialect{}, d.Dialect)
	assert.Equal(t, srv.Count(truliootest.Any), d.Requests)
	assert.Less(t, d.Requests, 60, "a few dozen requests")
	for _, f := range d.Findings {
		want := trulioo.VerdictHolds
		if f.Topic == "base URL" {
			want = trulioo.VerdictUnknown
		}
		assert.Equal(t, want, f.Verdict, "%s: %s (%s)", f.Topic, f.Guess, f.Detail)
		assert.Empty(t, f.Setting)
	}
	assert.Len(t, d.Findings, 27)
}

// dialect is how a server that tells the truth can behave otherwise than guessed.
type dialect struct {
	listing truliootest.Listing
	json    truliootest.Dialect
	files   truliootest.Files
}

// dialectSettings are the settings of a dialect, with the number of values of each.
var dialectSettings = []struct {
	values int
	set    func(d *dialect, value int)
}{
	{2, func(d *dialect, v int) { d.listing.MillisecondBounds = v == 1 }},
	{2, func(d *dialect, v int) { d.listing.RepeatedStatuses = v == 1 }},
	{2, func(d *dialect, v int) { d.listing.WorkflowsPath = []string{"", "query/flows"}[v] }},
	{2, func(d *dialect, v int) { d.listing.IncludeAfter = v == 1 }},
	{2, func(d *dialect, v int) { d.listing.IncludeBefore = v == 1 }},
	{2, func(d *dialect, v int) { d.listing.Ascending = v == 1 }},
	{2, func(d *dialect, v int) { d.listing.FilterBy = truliootest.Timestamp(v) }},
	{2, func(d *dialect, v int) { d.listing.OrderBy = truliootest.Timestamp(v) }},
	{2, func(d *dialect, v int) { d.json.Milliseconds = v == 1 }},
	{2, func(d *dialect, v int) { d.json.NumbersAsStrings = v == 1 }},
	{2, func(d *dialect, v int) { d.json.LowerCase = v == 1 }},
	{2, func(d *dialect, v int) { d.json.UnknownFields = v == 1 }},
	{2, func(d *dialect, v int) { d.files.Redirect = v == 1 }},
	{2, func(d *dialect, v int) { d.files.IgnoreRange = v == 1 }},
	{3, func(d *dialect, v int) { d.files.ETag = truliootest.ETag(v) }},
}

// listSettings is how many of dialectSettings, from the first, the answers about lists
// depend on.
const listSettings = 7

// dialectChoices are all 128 combinations of listSettings, each with one choice of the
// others, so that every two values of any two settings meet. TRULIOO_DIALECTS=all gives
// all 49,152 combinations.
func dialectChoices(t *testing.T) [][]int {
	t.Helper()
	choices, every := [][]int{{}}, len(dialectSettings)
	if os.Getenv("TRULIOO_DIALECTS") != "all" {
		every = listSettings
	}
	for _, setting := range dialectSettings[:every] {
		var longer [][]int
		for _, choice := range choices {
			for v := range setting.values {
				longer = append(longer, append(slices.Clone(choice), v))
			}
		}
		choices = longer
	}
	random := rand.New(rand.NewPCG(1, 2)) // the same choices each time
	for _, setting := range dialectSettings[every:] {
		for i := range choices {
			choices[i] = append(choices[i], random.IntN(setting.values))
		}
	}
	assertPairs(t, choices)
	t.Logf("%d combinations", len(choices))
	return choices
}

// assertPairs demands that every two values of any two settings meet in a choice.
func assertPairs(t *testing.T, choices [][]int) {
	t.Helper()
	met, pairs := map[[4]int]bool{}, 0
	for _, choice := range choices {
		for a := range choice {
			for b := range a {
				met[[4]int{a, choice[a], b, choice[b]}] = true
			}
		}
	}
	for a, setting := range dialectSettings {
		for _, other := range dialectSettings[:a] {
			pairs += setting.values * other.values
		}
	}
	require.Len(t, met, pairs)
}

// Diagnose tells every combination of dialects apart, and for a client with the dialect of
// its report it finds that everything holds.
func TestDiagnoseTellsEveryCombinationOfDialects(t *testing.T) {
	t.Parallel()
	account := truliootest.NewAccount(truliootest.AccountSpec{Clients: 60, Seed: 3})
	for _, choice := range dialectChoices(t) {
		var how dialect
		for i, v := range choice {
			dialectSettings[i].set(&how, v)
		}
		t.Run(strings.Trim(fmt.Sprint(choice), "[]"), func(t *testing.T) {
			t.Parallel()
			srv := truliootest.NewServer(t, truliootest.WithLive(account),
				truliootest.WithListing(how.listing), truliootest.WithDialect(how.json), truliootest.WithFiles(how.files))
			d := diagnose(t, srv.Client())
			found, listing := verdicts(d), how.listing
			assertVerdict(t, found, "before and after are UNIX seconds", !listing.MillisecondBounds)
			assertVerdict(t, found, "several statuses are separated by commas", !listing.RepeatedStatuses)
			assertVerdict(t, found, "the list of workflows is at query/workflows", listing.WorkflowsPath == "")
			assertVerdict(t, found, "after leaves out its own second", !listing.IncludeAfter)
			assertVerdict(t, found, "before leaves out its own second", !listing.IncludeBefore)
			assertVerdict(t, found, "before and after look at the time of creation", listing.FilterBy == truliootest.ByCreated)
			assertVerdict(t, found, "the models know every member of the answers", !how.json.UnknownFields)
			assertVerdict(t, found, "files come from the API's own host", !how.files.Redirect)
			assertVerdict(t, found, "a part of a file can be asked for", !how.files.IgnoreRange)
			assertVerdict(t, found, "files have a strong ETag", how.files.ETag == truliootest.StrongETag)
			assert.Equal(t, "query/flows", orDefault(d.Dialect.WorkflowsPath, listing.WorkflowsPath == ""))

			again := verdicts(diagnose(t, srv.Client(trulioo.WithDialect(d.Dialect))))
			for _, topic := range []string{"time unit", "statuses", "workflows path"} {
				for _, f := range again {
					assert.False(t, f.Topic == topic && f.Verdict != trulioo.VerdictHolds, "%s: %s (%s)", f.Guess, f.Verdict, f.Detail)
				}
			}
		})
	}
}

func orDefault(path string, none bool) string {
	if none && path == "" {
		return "query/flows"
	}
	return path
}

func assertVerdict(t *testing.T, found map[string]trulioo.Finding, guess string, holds bool) {
	t.Helper()
	want := trulioo.VerdictDiffers
	if holds {
		want = trulioo.VerdictHolds
	}
	f, ok := found[guess]
	require.True(t, ok, guess)
	assert.Equal(t, want, f.Verdict, "%s (%s)", guess, f.Detail)
	settable := f.Topic == "time unit" || f.Topic == "statuses" || f.Topic == "workflows path"
	assert.Equal(t, settable && !holds, f.Setting != "" && f.Env != "", guess)
}

// Servers that lie, clamp or leave things out.
func TestDiagnoseOfAwkwardServers(t *testing.T) {
	t.Parallel()
	const holds, differs, unknown = trulioo.VerdictHolds, trulioo.VerdictDiffers, trulioo.VerdictUnknown
	type want map[string]trulioo.Verdict
	tests := map[string]struct {
		opts   []truliootest.Option
		change func(*truliootest.Server)
		want   want
	}{
		"filters ignored": {
			opts: []truliootest.Option{truliootest.WithListing(truliootest.Listing{IgnoreFilters: true})},
			want: want{
				"before and after filter the list": differs, "statuses filters the list": differs, "flowId filters the list": differs,
				"before and after are UNIX seconds": unknown, "before and after look at the time of creation": unknown,
				"several statuses are separated by commas": unknown,
			},
		},
		"pages clamped": {
			opts: []truliootest.Option{truliootest.WithListing(truliootest.Listing{MaxLimit: 10})},
			want: want{
				"a page has 20 rows where no limit is asked for": differs, "a page has up to 50 rows where 50 are asked for": differs,
				"totalPages is the number of pages": holds,
			},
		},
		"last and totalPages wrong": {
			opts: []truliootest.Option{truliootest.WithListing(truliootest.Listing{Last: truliootest.High, TotalPages: truliootest.High})},
			want: want{"last is true on the last page only": differs, "totalPages is the number of pages": differs},
		},
		"files redirected": {
			opts: []truliootest.Option{truliootest.WithFiles(truliootest.Files{Redirect: true, ETag: truliootest.WeakETag})},
			want: want{
				"files come from the API's own host": differs, "a part of a file can be asked for": holds, "files have a strong ETag": differs,
			},
		},
		"ranges ignored": {
			opts: []truliootest.Option{truliootest.WithFiles(truliootest.Files{IgnoreRange: true, ETag: truliootest.NoETag})},
			want: want{
				"files come from the API's own host": holds, "a part of a file can be asked for": differs, "files have a strong ETag": differs,
			},
		},
		"an HTML 404": {
			change: func(s *truliootest.Server) {
				s.Fail(truliootest.GetClient, truliootest.Answer(404, "<html>Not Found</html>"), truliootest.Path(strings.Repeat("0", 24)))
			},
			want: want{"a client that does not exist is a 404 with the vendor's code": differs},
		},
		"a clock an hour ahead": {
			change: func(s *truliootest.Server) {
				s.Fail(truliootest.Any, truliootest.Pass().Header("Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)))
			},
			want: want{"the server's clock and ours agree to 5 seconds": differs},
		},
		"members that nobody knows": {
			opts: []truliootest.Option{truliootest.WithDialect(truliootest.Dialect{UnknownFields: true})},
			want: want{"the models know every member of the answers": differs},
		},
		"no clients": {
			opts: []truliootest.Option{truliootest.WithLive(truliootest.NewAccount(truliootest.AccountSpec{}))},
			want: want{
				"the credentials are accepted and may list clients": holds, "the first page is page 0": unknown,
				"before and after are UNIX seconds": unknown, "totalPages is the number of pages": unknown,
				"files have a strong ETag": unknown, "the models know every member of the answers": unknown,
				"flowId filters the list": unknown, "a client that does not exist is a 404 with the vendor's code": holds,
			},
		},
		"lists that fail after the first": {
			change: func(s *truliootest.Server) {
				s.Fail(truliootest.ListClients, truliootest.Answer(400, `{"code":4006}`), truliootest.Skip(1))
			},
			want: want{
				"before and after are UNIX seconds": unknown, "last is true on the last page only": unknown,
				"several statuses are separated by commas": unknown, "flowId filters the list": unknown,
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			account := truliootest.WithLive(truliootest.NewAccount(truliootest.AccountSpec{Clients: 60, Seed: 3}))
			srv := truliootest.NewServer(t, append([]truliootest.Option{account}, test.opts...)...)
			if test.change != nil {
				test.change(srv)
			}
			found := verdicts(diagnose(t, srv.Client()))
			for guess, verdict := range test.want {
				require.Contains(t, found, guess)
				assert.Equal(t, verdict, found[guess].Verdict, "%s (%s)", guess, found[guess].Detail)
			}
		})
	}
}

// Credentials that are refused are the only finding, and a context that ends is
// an error.
func TestDiagnoseThatCannotGoOn(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	d := diagnose(t, srv.Client(trulioo.WithCredentials(srv.ClientID, "another-secret-than-the-right-one")))
	require.Len(t, d.Findings, 1)
	assert.Equal(t, trulioo.VerdictDiffers, d.Findings[0].Verdict)

	srv.Fail(truliootest.ListClients, truliootest.Answer(503, ""))
	d = diagnose(t, srv.Client(trulioo.WithRetry(trulioo.RetryPolicy{MaxAttempts: 1})))
	require.Len(t, d.Findings, 1)
	assert.Equal(t, trulioo.VerdictUnknown, d.Findings[0].Verdict)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := srv.Client().Diagnose(ctx)
	require.ErrorIs(t, err, context.Canceled)
	var nilContext context.Context
	_, err = srv.Client().Diagnose(nilContext)
	var refused *trulioo.ArgumentError
	require.ErrorAs(t, err, &refused)
}

// The token of another service's sandbox must not reach the vendor; that of the
// vendor's one address may be shown to the other.
func TestDiagnoseAsksOtherHostsOnlyOfTheVendor(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	var hosts []string
	toFake := roundTripper(func(req *http.Request) (*http.Response, error) {
		hosts = append(hosts, req.URL.Host)
		out := req.Clone(req.Context())
		out.URL.Scheme, out.URL.Host = "http", strings.Split(srv.BaseURL, "/")[2]
		out.URL.Path = strings.Replace(out.URL.Path, "/wfs/export", "/export", 1)
		return srv.HTTPClient().Transport.RoundTrip(out)
	})
	client, err := trulioo.NewClient(trulioo.WithCredentials(srv.ClientID, srv.ClientSecret), trulioo.WithHTTPClient(&http.Client{Transport: toFake}))
	require.NoError(t, err)
	assert.Equal(t, trulioo.VerdictHolds, verdicts(diagnose(t, client))["both of the vendor's base URLs answer"].Verdict)
	assert.Contains(t, hosts, "api.trulioo.com")

	hosts = nil
	client, err = client.With(trulioo.WithBaseURL("https://api.example.com/export"), trulioo.WithTokenURL("https://api.example.com/connect/token"))
	require.NoError(t, err)
	found := verdicts(diagnose(t, client))
	assert.Equal(t, trulioo.VerdictUnknown, found["both of the vendor's base URLs answer"].Verdict)
	for _, host := range hosts {
		assert.Equal(t, "api.example.com", host)
	}
}

// Nothing of the account's people is in a report: no id, key, token, secret,
// name or entered value.
func TestDiagnosisHoldsNothingPersonal(t *testing.T) {
	t.Parallel()
	account := truliootest.NewAccount(truliootest.AccountSpec{Clients: 60, Seed: 3})
	own := `{"id":"person-4711","status":"JOHN DOE 1974","profileType":"Mrs Doe","created":1718011363,"Jane Doe":1,"flowData":{"flow-of-jane":{
		"serviceData":[{"nodeType":"Jane's check","extra.jane@example.com":true}],"fieldData":{"f":{"role":"jane@example.com","value":["Jane"]}}}}}`
	_, err := account.Put([]byte(own))
	require.NoError(t, err)
	srv := truliootest.NewServer(t, truliootest.WithLive(account))
	d := diagnose(t, srv.Client())
	data, err := json.Marshal(d)
	require.NoError(t, err)
	for _, text := range []string{string(data), d.String()} {
		assert.NotContains(t, text, srv.ClientSecret)
		assert.NotContains(t, text, srv.ClientID)
		assert.NotContains(t, text, srv.Token())
		for _, word := range []string{"4711", "Jane", "jane", "Doe", "1974"} {
			assert.NotContains(t, text, word)
		}
		for _, id := range account.IDs() {
			assert.NotContains(t, text, id)
			for _, key := range account.FileKeys(id) {
				assert.NotContains(t, text, key)
			}
		}
	}
	assert.Contains(t, d.String(), "a name that is not shown")
	assert.Contains(t, d.String(), "a word that is not shown")
}

func ExampleClient_Diagnose() {
	srv, err := truliootest.Start(truliootest.WithListing(truliootest.Listing{MillisecondBounds: true}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	diagnosis, err := srv.Client().Diagnose(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, finding := range diagnosis.Findings {
		if finding.Verdict == trulioo.VerdictDiffers {
			fmt.Println(finding.Guess+":", finding.Verdict)
			fmt.Println(finding.Setting)
		}
	}
	// Output:
	// before and after are UNIX seconds: does not
	// trulioo.WithDialect(trulioo.Dialect{TimeUnit: trulioo.TimeUnitMilliseconds})
}
