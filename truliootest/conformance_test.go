package truliootest_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

// faulty is a Deduper with one fault.
type faulty struct {
	trulioo.Deduper
	fault string
}

func (f faulty) Reserve(ctx context.Context, key string, lease time.Duration) (string, trulioo.DedupState, error) {
	switch f.fault {
	case "a lease has no end":
		lease = time.Hour
	case "a lease ends at once":
		lease = time.Nanosecond
	case "keys are cut":
		key = key[:len(key)-1]
	}
	claim, state, err := f.Deduper.Reserve(ctx, key, lease)
	switch {
	case f.fault == "everything is new" && state != trulioo.DedupNew:
		return "claim", trulioo.DedupNew, nil
	case f.fault == "in flight is done" && state == trulioo.DedupInFlight:
		return "", trulioo.DedupDone, nil
	case f.fault == "a claim for all":
		return "claim", state, err
	}
	return claim, state, err
}

func (f faulty) Commit(ctx context.Context, key, claim string) error {
	switch f.fault {
	case "commit does nothing":
		return nil
	case "commit releases":
		return f.Deduper.Release(ctx, key, claim)
	case "commit hides the fence":
		_ = f.Deduper.Commit(ctx, key, claim)
		return nil
	case "keys are cut":
		key = key[:len(key)-1]
	}
	return f.Deduper.Commit(ctx, key, claim)
}

func (f faulty) Release(ctx context.Context, key, claim string) error {
	switch f.fault {
	case "release does nothing":
		return nil
	case "release hides the fence":
		_ = f.Deduper.Release(ctx, key, claim)
		return nil
	case "release commits":
		return f.Deduper.Commit(ctx, key, claim)
	}
	return f.Deduper.Release(ctx, key, claim)
}

var dedupeFaults = []string{
	"everything is new", "in flight is done", "a claim for all", "a lease has no end", "a lease ends at once", "keys are cut",
	"commit does nothing", "commit releases", "commit hides the fence", "release does nothing", "release hides the fence", "release commits",
}

// faultyStore is a TokenStore with one fault.
type faultyStore struct {
	fault string
	trulioo.MemoryTokenStore

	mu   sync.Mutex
	last *oauth2.Token
}

func (f *faultyStore) Token(ctx context.Context, key, refused string, fetch func(context.Context) (*oauth2.Token, error)) (*oauth2.Token, error) {
	switch f.fault {
	case "each caller fetches":
		return fetch(ctx)
	case "refused tokens come again":
		refused = ""
	case "a refusal is always news":
		if refused != "" {
			return fetch(ctx)
		}
	case "one token for all keys":
		key = ""
	case "a wait has no end":
		ctx = context.WithoutCancel(ctx)
	}
	token, err := f.MemoryTokenStore.Token(ctx, key, refused, fetch)
	switch {
	case f.fault == "no token is none" && err != nil && !errors.Is(err, context.DeadlineExceeded):
		return &oauth2.Token{}, nil
	case f.fault == "an error has no cause" && err != nil:
		return nil, errors.New("failed")
	case f.fault == "the expiry is lost" && err == nil:
		return &oauth2.Token{AccessToken: token.AccessToken, TokenType: token.TokenType}, nil
	case f.fault == "an error is for good":
		return f.remember(token, err)
	}
	return token, err
}

func (f *faultyStore) remember(token *oauth2.Token, err error) (*oauth2.Token, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil || f.last != nil {
		f.last = &oauth2.Token{}
		return nil, errors.Join(errors.New("for good"), err)
	}
	return token, nil
}

var storeFaults = []string{
	"each caller fetches", "refused tokens come again", "a refusal is always news", "one token for all keys", "a wait has no end",
	"no token is none", "an error has no cause", "the expiry is lost", "an error is for good",
}

const faultVariable = "TRULIOOTEST_FAULT"

// TestOneFault is run in a process of its own, and fails there.
func TestOneFault(t *testing.T) {
	t.Parallel()
	fault := os.Getenv(faultVariable)
	if fault == "" {
		t.Skip("it is run by TestConformanceFindsFaults")
	}
	truliootest.TestDeduper(t, func(*testing.T) trulioo.Deduper {
		return faulty{trulioo.NewMemoryDeduper(100, time.Hour), fault}
	})
	truliootest.TestTokenStore(t, func(*testing.T) trulioo.TokenStore { return &faultyStore{fault: fault} })
}

// A contract that nobody can break proves nothing: each fault makes its test fail,
// and without a fault no test fails.
func TestConformanceFindsFaults(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	require.NoError(t, err)
	run := func(fault string) (string, error) {
		cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestOneFault$", "-test.v")
		cmd.Env = append(os.Environ(), faultVariable+"="+fault)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := run("none")
	require.NoError(t, err, out)
	for kind, faults := range map[string][]string{"TestDeduper": dedupeFaults, "TestTokenStore": storeFaults} {
		for _, fault := range faults {
			t.Run(kind+": "+fault, func(t *testing.T) {
				t.Parallel()
				out, err := run(fault)
				var exit *exec.ExitError
				require.ErrorAs(t, err, &exit, "nobody notices")
				assert.Contains(t, out, "--- FAIL: TestOneFault/")
			})
		}
	}
}
