package truliootest_test

import (
	"bytes"
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
			_, err = profile.WatchlistHits()
			require.NoError(t, err)
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
