package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
	"github.com/zalando/go-keyring"

	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/cli"
	"github.com/trulioo-go/trulioo/truliootest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"trulioo": func() { os.Exit(program(os.Args[1:])) }})
}

// program is the program with a keyring that lives in the test's folder, since
// go-keyring's own imitation ends with the process; or with the system's.
func program(args []string) int {
	file := os.Getenv("TEST_KEYRING")
	if file == "system" {
		return cli.Main(args)
	}
	keyring.MockInit()
	secrets := map[string]string{}
	if data, err := os.ReadFile(file); err == nil { //nolint:gosec // the test names it
		_ = json.Unmarshal(data, &secrets)
	}
	if os.Getenv("TEST_NO_KEYRING") != "" {
		keyring.MockInitWithError(errors.New("no bus"))
	}
	for name, secret := range secrets {
		_ = keyring.Set("trulioo-go", name, secret)
	}
	code := cli.Main(args)
	if file == "" || os.Getenv("TEST_NO_KEYRING") != "" {
		return code
	}
	kept := map[string]string{}
	for _, name := range []string{"default", "acme", "acme-test", "other"} {
		if secret, err := keyring.Get("trulioo-go", name); err == nil {
			kept[name] = secret
		}
	}
	data, err := json.Marshal(kept)
	if err == nil {
		err = os.WriteFile(file, data, 0o600) //nolint:gosec // the test names it
	}
	if err != nil {
		return 99
	}
	return code
}

// api is the key of a script's server.
type api struct{}

func TestScripts(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the scripts use a POSIX shell, Ctrl-C as a signal and the permissions of files")
	}
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setUp,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code": code, "account": useAccount, "api": changeAPI, "interrupt": interrupt, "start": start, "lines": lines, "id": id, "waitfor": waitFor,
		},
	})
}

func setUp(env *testscript.Env) error {
	srv, err := truliootest.Start(truliootest.WithSeed(2))
	if err != nil {
		return err
	}
	env.Defer(srv.Close)
	env.Values[api{}] = srv
	home := filepath.Join(env.WorkDir, "home")
	for name, value := range map[string]string{
		"HOME": home, "XDG_CONFIG_HOME": filepath.Join(home, "config"), "XDG_CACHE_HOME": filepath.Join(home, "cache"),
		"TEST_KEYRING": filepath.Join(env.WorkDir, "keyring.json"),
		"ID":           srv.ClientID, "SECRET": srv.ClientSecret, "BASE": srv.BaseURL, "TOKEN_URL": srv.TokenURL,
		"HOOK_TOKEN": truliootest.WebhookToken, "HOOK_SECRET": truliootest.WebhookSecret,
	} {
		env.Setenv(name, value)
	}
	return os.MkdirAll(home, 0o700)
}

func server(ts *testscript.TestScript) *truliootest.Server {
	return ts.Value(api{}).(*truliootest.Server)
}

// useAccount sets the variables of the script's account.
func useAccount(ts *testscript.TestScript, _ bool, _ []string) {
	srv := server(ts)
	ts.Setenv("TRULIOO_CLIENT_ID", srv.ClientID)
	ts.Setenv("TRULIOO_CLIENT_SECRET", srv.ClientSecret)
	ts.Setenv("TRULIOO_BASE_URL", srv.BaseURL)
	ts.Setenv("TRULIOO_TOKEN_URL", srv.TokenURL)
}

// id puts a client's id into a variable: the n-th newest.
func id(ts *testscript.TestScript, _ bool, args []string) {
	ids := server(ts).Live.IDs()
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Setenv(args[0], ids[len(ids)-1-n])
}

// changeAPI makes the script's server worse, or well again.
func changeAPI(ts *testscript.TestScript, _ bool, args []string) {
	srv := server(ts)
	switch args[0] {
	case "fail": // fail OPERATION STATUS [PATH]
		status, err := strconv.Atoi(args[2])
		ts.Check(err)
		var when []truliootest.When
		if len(args) > 3 {
			when = append(when, truliootest.Path(args[3]))
		}
		srv.Fail(truliootest.Operation(args[1]), truliootest.Answer(status, `{"code":1,"message":"Ada Lovelace is secret"}`), when...)
	case "encode": // encode CODING
		srv.Fail(truliootest.DownloadFile, truliootest.Pass().Header("Content-Encoding", args[1]))
	case "hang":
		srv.Fail(truliootest.GetClient, truliootest.Hang(), truliootest.Skip(3))
	case "heal":
		srv.Heal()
	case "stop":
		srv.Close()
	case "remove":
		srv.Live.Remove(args[1])
	case "update":
		srv.Live.Update(args[1], time.Now())
	case "reset":
		srv.ResetCounts()
	case "count": // count OPERATION N
		want, err := strconv.Atoi(args[2])
		ts.Check(err)
		if got := srv.Count(truliootest.Operation(args[1])); got != want {
			ts.Fatalf("%d requests to %s, want %d", got, args[1], want)
		}
	default:
		ts.Fatalf("api: no such change: %s", args[0])
	}
}

// personal finds the texts that must never be on the standard error: people's data, and
// the server's words, which can hold them.
var personal = regexp.MustCompile(`@example\.com|Example (Street|Road)|Ada Lovelace|000-\d\d-\d{4}`)

// code runs a program, demands an exit code, and holds its standard error to what
// every command promises.
func code(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
	checkErrors(ts, ts.ReadFile("stderr"))
}

func checkErrors(ts *testscript.TestScript, said string) {
	srv := server(ts)
	for _, secret := range []string{srv.ClientSecret, truliootest.WebhookToken, truliootest.WebhookSecret} {
		if strings.Contains(said, secret) {
			ts.Fatalf("a secret stands on the standard error")
		}
	}
	if personal.MatchString(said) {
		ts.Fatalf("personal data stands on the standard error")
	}
}

// environ is the environment of a process of the script that ts.Exec does not start.
func environ(ts *testscript.TestScript) []string {
	var env []string
	for _, name := range []string{
		"PATH", "HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "TEST_KEYRING", "TMPDIR", "NO_COLOR",
		"TRULIOO_CLIENT_ID", "TRULIOO_CLIENT_SECRET", "TRULIOO_BASE_URL", "TRULIOO_TOKEN_URL", "TRULIOO_WEBHOOK_TOKEN", "TRULIOO_WEBHOOK_SECRET",
	} {
		if value := ts.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// process is a program that runs beside the script.
type process struct {
	*exec.Cmd
	out, err *synced
}

func begin(ts *testscript.TestScript, args []string) *process {
	path, err := exec.LookPath(filepath.Join(strings.Split(ts.Getenv("PATH"), string(os.PathListSeparator))[0], args[0]))
	ts.Check(err)
	p := &process{exec.CommandContext(context.Background(), path, args[1:]...), &synced{}, &synced{}}
	p.Dir, p.Env, p.Stdout, p.Stderr = ts.MkAbs("."), environ(ts), p.out, p.err
	ts.Check(p.Start())
	ts.Defer(func() { _ = p.Process.Kill() })
	return p
}

// start runs a program until the script ends, and waits for a line that fits. Its
// groups become the variables G1, G2 ...
func start(ts *testscript.TestScript, _ bool, args []string) {
	pattern := regexp.MustCompile(args[0])
	p := begin(ts, args[1:])
	ts.Defer(func() { _ = p.Wait(); checkErrors(ts, p.err.String()) })
	ts.Defer(func() { _ = p.Process.Kill() })
	found := await(ts, func() []string { return pattern.FindStringSubmatch(p.out.String() + p.err.String()) })
	for i, group := range found[1:] {
		ts.Setenv("G"+strconv.Itoa(i+1), group)
	}
}

// interrupt runs a program, waits until a pattern is in one of its streams or a
// file is there ("file:NAME"), presses Ctrl-C, and demands 130.
func interrupt(ts *testscript.TestScript, _ bool, args []string) {
	p := begin(ts, args[1:])
	await(ts, func() []string {
		if name, ok := strings.CutPrefix(args[0], "file:"); ok {
			if info, err := os.Stat(ts.MkAbs(name)); err == nil && info.Size() > 0 {
				return []string{name}
			}
			return nil
		}
		return regexp.MustCompile(args[0]).FindStringSubmatch(p.out.String() + p.err.String())
	})
	ts.Check(p.Process.Signal(os.Interrupt))
	err := p.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 130 {
		ts.Fatalf("after Ctrl-C: %v, want exit code 130; %s", err, p.err.String())
	}
	checkErrors(ts, p.err.String())
}

// waitFor waits until a number of files fit a pattern.
func waitFor(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	await(ts, func() []string {
		found, err := filepath.Glob(ts.MkAbs(args[0]))
		ts.Check(err)
		if len(found) < want {
			return nil
		}
		return found
	})
}

func await(ts *testscript.TestScript, look func() []string) []string {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if found := look(); found != nil {
			return found
		}
	}
	ts.Fatalf("what was waited for did not come")
	return nil
}

// lines demands a number of lines of a file or stream.
func lines(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	if got := strings.Count(ts.ReadFile(args[0]), "\n"); got != want {
		ts.Fatalf("%s has %d lines, want %d", args[0], got, want)
	}
}

// The program starts no other program, so that nothing of it can be an argument of one.
func TestNoOtherProgramIsStarted(t *testing.T) {
	t.Parallel()
	require.NoError(t, filepath.WalkDir(".", func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		code, err := os.ReadFile(path) //nolint:gosec // a file of this module
		require.NoError(t, err)
		require.False(t, bytes.Contains(code, []byte(`"os/exec"`)), path)
		return nil
	}))
}
