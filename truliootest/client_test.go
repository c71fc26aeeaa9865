package truliootest_test

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

func TestTheLibraryAgainstTheServer(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]truliootest.Option{"tcp": {}, "memory": {truliootest.InMemory()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := truliootest.NewServer(t, opts...)
			live := srv.Client()
			test, err := live.With(trulioo.WithEnvironment(trulioo.Test))
			require.NoError(t, err)
			v1, err := trulioo.NewClient(srv.OptionsV1()...)
			require.NoError(t, err)
			inherited, err := live.With(trulioo.WithAPIVersion(trulioo.V1))
			require.NoError(t, err)
			for client, account := range map[*trulioo.Client]*truliootest.Account{
				live: srv.Live, test: srv.Test, v1: srv.Live, inherited: srv.Live,
			} {
				page, err := client.Clients.List(t.Context(), nil)
				require.NoError(t, err)
				assert.Equal(t, account.Len(), int(page.TotalElements))
				profile, err := client.Clients.Get(t.Context(), account.IDs()[0], &trulioo.GetOptions{FullServiceDetails: true})
				require.NoError(t, err)
				want, _ := account.Profile(account.IDs()[0], true)
				assert.Equal(t, want, []byte(profile.Raw))
				var file bytes.Buffer
				key := firstKey(t, account)
				_, err = client.Files.Save(t.Context(), key, &file)
				require.NoError(t, err)
				assert.True(t, bytes.Equal(content(t, srv, key), file.Bytes()))
			}
			assert.Equal(t, 3, srv.Count(truliootest.FetchToken), "live and test share one, version 1 twice has its own")
		})
	}
}

// A bubble ends only when every goroutine has: the library's and the server's.
func TestTheLibraryInABubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := truliootest.NewServer(t, truliootest.InMemory())
		client := srv.Client()
		n := 0
		for _, err := range client.Clients.All(t.Context(), nil) {
			require.NoError(t, err)
			n++
		}
		assert.Equal(t, srv.Live.Len(), n)
	})
}

func TestClientRefusesBadOptions(t *testing.T) {
	t.Parallel()
	srv, err := truliootest.Start()
	require.NoError(t, err)
	defer srv.Close()
	assert.Panics(t, func() { srv.Client(trulioo.WithBaseURL("nonsense")) })
}

// Every invented profile, in every dialect, is one that the library reads.
func TestEveryInventedProfileDecodes(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t, truliootest.WithLive(truliootest.NewAccount(truliootest.AccountSpec{
		Clients: 60, UndatedEvery: 7,
	})))
	client := srv.Client()
	for _, dialect := range []truliootest.Dialect{
		{}, {Milliseconds: true, NumbersAsStrings: true, LowerCase: true, UnknownFields: true},
	} {
		srv.SetDialect(dialect)
		for _, id := range srv.Live.IDs() {
			profile, err := client.Clients.Get(t.Context(), id, &trulioo.GetOptions{FullServiceDetails: true})
			require.NoError(t, err)
			assert.Equal(t, id, profile.ID)
			if _, err = profile.WatchlistHits(); profile.ScreeningOutcome() != trulioo.ScreeningUnknown {
				require.NoError(t, err)
			}
			for _, service := range profile.Services() {
				details, err := service.Details()
				require.NoError(t, err)
				assert.NotEmpty(t, details.TransactionID)
			}
			var keys []string
			for _, ref := range profile.Files() {
				keys = append(keys, ref.Key)
			}
			assert.ElementsMatch(t, srv.Live.FileKeys(id), keys)
		}
		for _, err := range client.Clients.All(t.Context(), nil) {
			require.NoError(t, err)
		}
	}
}

// The parts of a watchlist check agree with each other, and the outcomes are like real
// ones: most clear, hits of every kind, some sources failed.
func TestWatchlistChecksTellTheTruth(t *testing.T) {
	t.Parallel()
	live := truliootest.NewAccount(truliootest.AccountSpec{Clients: 400, Seed: 3})
	outcomes, kinds, types := map[trulioo.ScreeningOutcome]int{}, map[trulioo.WatchlistKind]int{}, map[trulioo.NodeType]int{}
	for _, id := range live.IDs() {
		plain, full := invented(t, live, id, false), invented(t, live, id, true)
		for _, service := range full.Services() {
			types[service.NodeType]++
		}
		short := plain.Screenings()
		for i, s := range full.Screenings() {
			outcomes[s.Outcome]++
			assert.Equal(t, s.Outcome == trulioo.ScreeningClear, *s.Service.Match)
			details, err := s.Service.Details()
			require.NoError(t, err)
			assert.Equal(t, *s.Service.Match, details.Matched())
			assert.Equal(t, s.Outcome != trulioo.ScreeningUnknown, s.Complete, s.Why)
			assert.Equal(t, s.Outcome, short[i].Outcome, "the summary says the same without details")
			assert.Equal(t, s.Outcome == trulioo.ScreeningUnknown, s.SearchedName == "")
			for _, hit := range s.Hits {
				kinds[hit.Kind]++
				assert.Equal(t, hit.Kind == trulioo.WatchlistKindAdverseMedia, len(hit.Text()) >= 300)
				assert.NotEmpty(t, hit.SubjectMatched+hit.SourceListType)
			}
		}
		for _, role := range []trulioo.Role{trulioo.RoleCity, trulioo.RolePostalCode} {
			_, ok := full.Value(role)
			assert.Equal(t, len(full.Values(trulioo.RoleFirstName)) > 0, ok, "whichever spelling the form has")
		}
	}
	assert.Len(t, outcomes, 4)
	assert.Greater(t, outcomes[trulioo.ScreeningClear], 250)
	assert.Len(t, kinds, 3)
	assert.Len(t, types, 5)
}

// The test half says the same of everybody, and sends no details though they are
// asked for; an account without Mocks does.
func TestTheTestHalfIsAMock(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	for _, id := range srv.Test.IDs() {
		profile := invented(t, srv.Test, id, true)
		for _, service := range profile.Services() {
			_, err := service.Details()
			require.ErrorIs(t, err, trulioo.ErrNoDetails)
			assert.Equal(t, "test_transaction_id", service.TransactionInfo.TransactionID)
			assert.Equal(t, 2022, service.TransactionInfo.Date.Year())
			assert.True(t, *service.Match)
		}
		assert.Equal(t, trulioo.ScreeningClear, profile.ScreeningOutcome())
	}
	real := truliootest.NewAccount(truliootest.AccountSpec{Clients: 5, Seed: 2})
	details, err := invented(t, real, real.IDs()[0], true).Services()[0].Details()
	require.NoError(t, err)
	assert.NotEqual(t, "test_transaction_id", details.TransactionID)
}

func invented(t *testing.T, account *truliootest.Account, id string, full bool) *trulioo.Profile {
	t.Helper()
	raw, ok := account.Profile(id, full)
	require.True(t, ok)
	profile := new(trulioo.Profile)
	require.NoError(t, profile.UnmarshalJSON(raw))
	return profile
}

func TestEnviron(t *testing.T) {
	t.Setenv("TRULIOO_ENVIRONMENT", "test")
	t.Setenv("TRULIOO_API_VERSION", "v1")
	srv := truliootest.NewServer(t)
	for _, variable := range srv.Environ() {
		name, value, ok := strings.Cut(variable, "=")
		require.True(t, ok)
		t.Setenv(name, value)
	}
	client, err := trulioo.NewClientFromEnv()
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	page, err := client.Clients.List(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, srv.Live.Len(), page.TotalElements)
}
