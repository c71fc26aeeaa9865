package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os/exec"
	"path"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

// environment has the variables that the program reads beside the client id. None of the
// machine's own variables reaches the test.
func environment(srv *truliootest.Server) map[string]string {
	return map[string]string{
		"TRULIOO_CLIENT_SECRET": srv.ClientSecret,
		"TRULIOO_BASE_URL":      srv.BaseURL,
		"TRULIOO_TOKEN_URL":     srv.TokenURL,
		"TRULIOO_ENVIRONMENT":   "",
		"TRULIOO_API_VERSION":   "",
	}
}

func TestSandboxShowsEverything(t *testing.T) {
	t.Setenv("TRULIOO_CLIENT_ID", "")
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), nil, &out))
	printed := out.String()
	assert.Contains(t, printed, "using the built-in sandbox")
	assert.Regexp(t, `(?m)^workflows: 5$`, printed)
	assert.Regexp(t, `(?m)^clients: 25$`, printed)
	assert.Regexp(t, `(?m)^  (First name|Company name) +\w`, printed)
	assert.Regexp(t, `(?m)^  .+ (match|no match|no outcome) +\d{4}-`, printed)
	assert.Regexp(t, `(?m)^    .+ \d+ of \d+ fields match`, printed)
	assert.Regexp(t, `(?m)^watchlists, all together: (potential|confirmed) hit$`, printed)
	assert.NotRegexp(t, `Watchlist Screening +(no )?match`, printed, "which would say the opposite of what it seems to")
	assert.Regexp(t, `(?m)^downloaded the first file: [1-9]\d* bytes$`, printed)
	assert.NotContains(t, printed, "***")
}

func TestRealAccountIsMaskedUnlessAskedFor(t *testing.T) {
	srv := truliootest.NewServer(t, truliootest.WithSeed(2)) // as in the sandbox: with files and hits
	t.Setenv("TRULIOO_CLIENT_ID", srv.ClientID)
	for name, value := range environment(srv) {
		t.Setenv(name, value)
	}
	var masked, shown bytes.Buffer
	require.NoError(t, run(t.Context(), nil, &masked))
	require.NoError(t, run(t.Context(), []string{"-show"}, &shown))
	assert.NotContains(t, masked.String(), "sandbox")
	assert.Contains(t, masked.String(), "***")
	assert.NotContains(t, shown.String(), "***")

	var id string // of whom it has shown
	for _, request := range srv.Requests() {
		if request.Operation == truliootest.GetClient {
			id = path.Base(request.Path)
		}
	}
	for _, value := range personal(t, srv, id) {
		assert.NotContains(t, masked.String(), value)
	}
	for _, answer := range profileOf(t, srv, id).Values(trulioo.RoleEmail) {
		assert.Contains(t, shown.String(), answer.Value)
	}
}

func profileOf(t *testing.T, srv *truliootest.Server, id string) *trulioo.Profile {
	t.Helper()
	raw, ok := srv.Live.Profile(id, true)
	require.True(t, ok)
	profile := new(trulioo.Profile)
	require.NoError(t, json.Unmarshal(raw, profile))
	return profile
}

// personal is every entered value that is long enough not to be in other text
// by chance, the id, and whom the watchlists name.
func personal(t *testing.T, srv *truliootest.Server, id string) []string {
	t.Helper()
	profile := profileOf(t, srv, id)
	values := []string{id}
	for _, flow := range profile.FlowData {
		for _, field := range flow.FieldData {
			for _, value := range field.Value {
				if len(value) >= 6 {
					values = append(values, value)
				}
			}
		}
	}
	require.Greater(t, len(values), 3, "the profile has something to hide")
	hits, err := profile.WatchlistHits()
	require.NoError(t, err)
	for _, hit := range hits {
		if hit.SubjectMatched != "" { // older lists name no subject
			values = append(values, hit.SubjectMatched)
		}
	}
	return values
}

func TestEmptyAccount(t *testing.T) {
	srv := truliootest.NewServer(t, truliootest.WithLive(truliootest.NewAccount(truliootest.AccountSpec{})))
	t.Setenv("TRULIOO_CLIENT_ID", srv.ClientID)
	for name, value := range environment(srv) {
		t.Setenv(name, value)
	}
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), nil, &out))
	assert.Contains(t, out.String(), "clients: 0\nthere is no profile to show yet\n")
}

func TestFailuresAreOneSentence(t *testing.T) {
	cases := map[string]struct {
		args  []string
		spoil func(*testing.T, *truliootest.Server)
		want  string
	}{
		"wrong secret": {
			spoil: func(t *testing.T, _ *truliootest.Server) { t.Setenv("TRULIOO_CLIENT_SECRET", "not-the-secret") },
			want:  "check TRULIOO_CLIENT_ID and TRULIOO_CLIENT_SECRET",
		},
		"no secret": {
			spoil: func(t *testing.T, _ *truliootest.Server) { t.Setenv("TRULIOO_CLIENT_SECRET", "") },
			want:  "TRULIOO_CLIENT_SECRET",
		},
		"nobody listens": {
			spoil: func(_ *testing.T, srv *truliootest.Server) { srv.Close() },
			want:  "connection refused",
		},
		"the profile is gone": {
			spoil: func(_ *testing.T, srv *truliootest.Server) {
				srv.Fail(truliootest.GetClient, truliootest.Answer(404, `{"code":4100}`))
			},
			want: "status 404",
		},
		"the file is forbidden": {
			spoil: func(_ *testing.T, srv *truliootest.Server) {
				srv.Fail(truliootest.DownloadFile, truliootest.Answer(403, ""))
			},
			want: "status 403",
		},
		"unknown flag": {args: []string{"-shwo"}, want: "shwo"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			srv := truliootest.NewServer(t, truliootest.WithSeed(2))
			t.Setenv("TRULIOO_CLIENT_ID", srv.ClientID)
			for name, value := range environment(srv) {
				t.Setenv(name, value)
			}
			if c.spoil != nil {
				c.spoil(t, srv)
			}
			err := run(t.Context(), c.args, io.Discard)
			require.Error(t, err)
			sentence := explain(err)
			assert.Contains(t, sentence, c.want)
			assert.NotContains(t, sentence, "\n")
			assert.NotContains(t, sentence, srv.ClientSecret)
		})
	}
}

func TestHelp(t *testing.T) {
	t.Setenv("TRULIOO_CLIENT_ID", "")
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-h"}, &out))
	for _, told := range []string{"-show", "TRULIOO_CLIENT_ID", "TRULIOO_ENVIRONMENT", "default live", "UTC", "Exit codes"} {
		assert.Contains(t, out.String(), told)
	}
}

// The process itself: the exit status, and the sentence on stderr.
func TestProcess(t *testing.T) {
	srv := truliootest.NewServer(t)
	t.Setenv("TRULIOO_CLIENT_ID", srv.ClientID)
	for name, value := range environment(srv) {
		t.Setenv(name, value)
	}
	program := filepath.Join(t.TempDir(), "quickstart.exe")
	built, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, string(built))

	out, err := exec.CommandContext(t.Context(), program).Output()
	require.NoError(t, err)
	assert.Contains(t, string(out), "clients: 25\n")

	t.Setenv("TRULIOO_CLIENT_SECRET", "not-the-secret")
	_, err = exec.CommandContext(t.Context(), program).Output()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	assert.Equal(t, 1, exit.ExitCode())
	assert.Regexp(t, `^quickstart failed: .+\n$`, string(exit.Stderr))

	for _, wrong := range []string{"-shwo", "show"} {
		_, err = exec.CommandContext(t.Context(), program, wrong).Output()
		require.ErrorAs(t, err, &exit)
		assert.Equal(t, 2, exit.ExitCode(), wrong)
		assert.Regexp(t, `^quickstart failed: .+\n$`, string(exit.Stderr))
	}
}
