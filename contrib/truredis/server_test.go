package truredis_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo/internal/loopback"
)

// workerVariable makes the test binary a worker process; see processes_test.go.
const workerVariable = "TRUREDIS_TEST_WORKER"

func TestMain(m *testing.M) {
	redis.SetLogger(quiet{}) // it writes to stderr when a test kills a server
	if kind := os.Getenv(workerVariable); kind != "" {
		os.Exit(work(kind))
	}
	os.Exit(m.Run())
}

type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

// redisServer is a real redis-server on loopback, in a folder of its own.
type redisServer struct {
	Addr string

	args    []string
	process *exec.Cmd
}

// startRedis starts a redis-server that ends with the test.
func startRedis(t *testing.T, args ...string) *redisServer {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("redis-server is not on PATH, and CI must not skip what needs it")
		}
		t.Skip("redis-server is not on PATH: apt-get install redis-server")
	}
	addr, err := loopback.Address(t.Context())
	require.NoError(t, err)
	s := &redisServer{Addr: addr.String(), args: append([]string{
		program, "--port", strconv.Itoa(int(addr.Port())), "--bind", addr.Addr().String(), "--dir", t.TempDir(), "--save", "", "--appendonly", "no",
	}, args...)}
	s.Start(t)
	t.Cleanup(s.end)
	return s
}

// Start starts it, again after a Kill, and waits until it answers.
func (s *redisServer) Start(t *testing.T) {
	t.Helper()
	s.process = exec.CommandContext(context.WithoutCancel(t.Context()), s.args[0], s.args[1:]...)
	out, err := s.process.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, s.process.Start())
	var said strings.Builder
	for lines := bufio.NewScanner(out); lines.Scan(); said.WriteString(lines.Text() + "\n") {
		if strings.Contains(lines.Text(), "Ready to accept connections") {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return
		}
	}
	t.Fatal("redis-server does not start:\n" + said.String())
}

// Kill ends it at once, and its data are gone.
func (s *redisServer) Kill(t *testing.T) {
	t.Helper()
	require.NoError(t, s.process.Process.Kill())
	_ = s.process.Wait() // says that it was killed
}

func (s *redisServer) end() {
	_ = s.process.Process.Kill()
	_ = s.process.Wait()
}

// Client is a new client of it, with go-redis's defaults.
func (s *redisServer) Client(t *testing.T) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: s.Addr})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// startCluster starts a cluster of one, which refuses a script over two slots
// as any other does.
func startCluster(t *testing.T) *redis.ClusterClient {
	t.Helper()
	s := startRedis(t, "--cluster-enabled", "yes")
	require.NoError(t, s.Client(t).Do(t.Context(), "CLUSTER", "ADDSLOTSRANGE", 0, 16383).Err())
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{s.Addr}})
	t.Cleanup(func() { _ = client.Close() })
	require.Eventually(t, func() bool {
		return client.Set(t.Context(), "probe", strconv.Itoa(1), 0).Err() == nil
	}, 10*time.Second, 20*time.Millisecond)
	require.NoError(t, client.Del(t.Context(), "probe").Err())
	return client
}

// everything is all that Redis holds, names and values, as text to search.
func everything(t *testing.T, client *redis.Client) string {
	t.Helper()
	var all strings.Builder
	keys, err := client.Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	for _, key := range keys {
		fmt.Fprintln(&all, key)
		switch kind := client.Type(t.Context(), key).Val(); kind {
		case "hash":
			fmt.Fprintln(&all, client.HGetAll(t.Context(), key).Val())
		case "zset":
			fmt.Fprintln(&all, client.ZRange(t.Context(), key, 0, -1).Val())
		default:
			fmt.Fprintln(&all, client.Get(t.Context(), key).Val())
		}
	}
	return all.String()
}
