package truliootest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trulioo-go/trulioo/internal/guard"
	"github.com/trulioo-go/trulioo/internal/loopback"
	"github.com/trulioo-go/trulioo/internal/transport"
)

// The credentials of a server that was given no others. The secret holds characters
// that real ones have and that a careless URL or form loses.
const (
	defaultClientID     = "5f3c9d0e8b7a6c5d4e3f2a1b"
	defaultClientSecret = "k3y#7&Qw+r%20Tz~9!pL==" //nolint:gosec // it opens a fake
)

// basePath is where the API is mounted, so that a client that forgets the
// path of its base URL fails.
const basePath = "/export"

// Server is a running fake of the Export API. NewServer and Start make one. Its
// methods can be called from many goroutines at once, while it serves.
type Server struct {
	BaseURL      string   // for WithBaseURL, such as "http://127.0.0.1:41523/export"
	TokenURL     string   // for WithTokenURL with version 2; that of version 1 is BaseURL + "/oauth/accessToken"
	ClientID     string   // the one client id that both token endpoints accept
	ClientSecret string   // its secret
	Live         *Account // served below the paths without /test
	Test         *Account // served below the paths with /test

	t         testing.TB // nil for Start
	setup     setup
	settings  atomic.Pointer[settings]
	settingMu sync.Mutex

	tokens   tokenTable
	faults   faultList
	counts   counter
	random   lockedRand
	churn    churner
	edition  atomic.Uint64 // of the files; ChangeFiles moves it
	requests atomic.Uint64 // numbers X-Request-Id

	api    *endpoint
	store  *objectStore
	client *http.Client
	cancel context.CancelFunc
	once   sync.Once
}

// setup holds the settings that do not change after the start.
type setup struct {
	address    string
	inMemory   bool
	id, secret string
	seed       uint64
	latency    time.Duration
	gzip       bool
	live, test *Account
}

// settings can be replaced while the server runs.
type settings struct {
	tokens  Tokens
	listing Listing
	dialect Dialect
	files   Files
}

// Option shapes a server at its start.
type Option func(*setup, *settings)

// InMemory makes the server listen without sockets: only its DialContext
// reaches it, which HTTPClient and Options already use. Such a server works in a
// testing/synctest bubble when it is started in it.
func InMemory() Option { return func(s *setup, _ *settings) { s.inMemory = true } }

// WithAddress sets the host and port to listen on. The default, also for "", is a free
// port of 127.0.0.1 that the system gives to no program that asks for any port, so
// that connections to a closed server are refused. InMemory ignores it.
func WithAddress(address string) Option {
	return func(s *setup, _ *settings) { s.address = address }
}

// WithCredentials sets the client id and secret that the token endpoints accept.
func WithCredentials(id, secret string) Option {
	return func(s *setup, _ *settings) { s.id, s.secret = id, secret }
}

// WithSeed seeds everything random in the server: shuffled ties, churn, random
// lies and the two accounts it makes itself. The default is 1. Tokens are
// always unpredictable.
func WithSeed(seed uint64) Option { return func(s *setup, _ *settings) { s.seed = seed } }

// WithLatency delays every request but those for tokens by d.
func WithLatency(d time.Duration) Option { return func(s *setup, _ *settings) { s.latency = d } }

// WithGzip compresses JSON for clients that accept it.
func WithGzip() Option { return func(s *setup, _ *settings) { s.gzip = true } }

// WithLive sets the live account. The default has 25 clients.
func WithLive(a *Account) Option { return func(s *setup, _ *settings) { s.live = a } }

// WithTest sets the test account. The default has 5 clients and AccountSpec.Mocks.
func WithTest(a *Account) Option { return func(s *setup, _ *settings) { s.test = a } }

// NewServer starts a server that ends with the test. It fails the test at once
// if it cannot start.
func NewServer(t testing.TB, opts ...Option) *Server {
	t.Helper()
	s, err := Start(opts...)
	if err != nil {
		t.Fatal(err)
	}
	s.t = t
	t.Cleanup(s.Close)
	return s
}

// Start starts a server outside of a test; Close ends it. It fails only if it cannot
// listen on the address.
func Start(opts ...Option) (*Server, error) {
	s := &Server{setup: setup{
		id:     defaultClientID,
		secret: defaultClientSecret,
		seed:   1,
	}}
	var initial settings
	for _, opt := range opts {
		opt(&s.setup, &initial)
	}
	s.settings.Store(&initial)
	s.random.seed(s.setup.seed)
	s.ClientID, s.ClientSecret = s.setup.id, s.setup.secret
	s.Live, s.Test = s.setup.live, s.setup.test
	if s.Live == nil {
		s.Live = NewAccount(AccountSpec{Clients: 25, Seed: s.setup.seed})
	}
	if s.Test == nil {
		s.Test = NewAccount(AccountSpec{Clients: 5, Seed: s.setup.seed + 1, Mocks: true})
	}
	return s, s.listen()
}

// listen opens the API's and the object store's listeners and serves on them.
func (s *Server) listen() error {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	api, err := s.listener(ctx, s.setup.address, memoryAddress)
	if err != nil {
		cancel()
		return fmt.Errorf("truliootest: %w", err)
	}
	store, err := s.listener(ctx, "", memoryStoreAddress)
	if err != nil {
		_ = api.Close()
		cancel()
		return fmt.Errorf("truliootest: %w", err)
	}
	origin := "http://" + reachable(api.Addr())
	s.BaseURL, s.TokenURL = origin+basePath, origin+tokenPath
	s.store = newObjectStore(s, store)
	s.api = serve(ctx, api, http.HandlerFunc(s.handle), s.counts.connection)
	s.store.endpoint = serve(ctx, store, http.HandlerFunc(s.store.handle), nil)
	s.client = &http.Client{Transport: &http.Transport{
		DialContext:         s.DialContext,
		MaxIdleConnsPerHost: 128,
	}}
	return nil
}

// reachable is the listener's address, or one of this machine where it listens on all.
func reachable(a net.Addr) string {
	if tcp, ok := a.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
	}
	return a.String()
}

func (s *Server) listener(ctx context.Context, address, memory string) (net.Listener, error) {
	switch {
	case s.setup.inMemory:
		return newMemoryListener(memory), nil
	case address == "":
		return loopback.Listen(ctx)
	}
	return new(net.ListenConfig).Listen(ctx, "tcp", address)
}

// Close ends the server: it breaks every connection, ends what is under way and
// returns when no goroutine of the server is left. From then on connections are
// refused. A second call does nothing.
func (s *Server) Close() {
	s.once.Do(func() {
		s.client.CloseIdleConnections()
		s.api.close(s.cancel)
		s.store.endpoint.close(s.cancel)
	})
}

// DialContext connects to the server, whether it listens on a port or in
// memory. In memory it knows the addresses of BaseURL and of the object store
// only, and refuses any other.
func (s *Server) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if !s.setup.inMemory {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	switch address {
	case memoryAddress:
		return s.api.memory().dial(ctx)
	case memoryStoreAddress:
		return s.store.endpoint.memory().dial(ctx)
	}
	return nil, refused()
}

// HTTPClient is a client that reaches the server through DialContext and sets
// nothing else: no token, no timeout. Each call returns the same one.
func (s *Server) HTTPClient() *http.Client { return s.client }

// handle counts every request, delays it, and then fails or serves it.
func (s *Server) handle(w http.ResponseWriter, r *http.Request) {
	to := s.route(r)
	rec := &recorder{ResponseWriter: w, counts: &s.counts, entry: s.counts.begin(to.operation, r)}
	rec.Header().Set("X-Request-Id", "req-"+strconv.FormatUint(s.requests.Add(1), 10))
	if to.operation != FetchToken && s.setup.latency > 0 && !transport.Wait(r.Context(), s.setup.latency) {
		panic(http.ErrAbortHandler)
	}
	normal := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, to) })
	if effect, ok := s.faults.strike(to.operation, r); ok {
		effect.apply(rec, r, normal)
		return
	}
	s.serve(rec, r, to)
}

// endpoint is an http.Server on one listener.
type endpoint struct {
	listener net.Listener
	server   *http.Server
	serving  sync.WaitGroup // the open connections
	accepts  *guard.Task[struct{}]
}

func serve(ctx context.Context, l net.Listener, h http.Handler, opened func()) *endpoint {
	e := &endpoint{listener: l}
	e.server = &http.Server{
		Handler:           h,
		ReadHeaderTimeout: time.Minute,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				e.serving.Add(1)
				if opened != nil {
					opened()
				}
			case http.StateClosed, http.StateHijacked:
				e.serving.Done()
			case http.StateActive, http.StateIdle:
			}
		},
	}
	e.accepts = guard.Start(func() (struct{}, error) {
		if err := e.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			panic(err) // a test cannot go on without its listener
		}
		// A connection can be accepted while Close closes the others.
		return struct{}{}, e.server.Close()
	})
	return e
}

// close breaks the connections first, so that nobody gets an answer that the
// end of the requests' context has cut short.
func (e *endpoint) close(cancel context.CancelFunc) {
	_ = e.server.Close()
	cancel()
	_, _ = e.accepts.Wait(context.Background()) // raises the panic of a listener that failed
	e.serving.Wait()
}

func (e *endpoint) memory() *memoryListener { return e.listener.(*memoryListener) }

// change replaces a part of the settings.
func (s *Server) change(edit func(*settings)) {
	s.settingMu.Lock()
	defer s.settingMu.Unlock()
	next := *s.settings.Load()
	edit(&next)
	s.settings.Store(&next)
}

// lockedRand is a random source for many goroutines.
type lockedRand struct {
	mu  sync.Mutex
	rng *rand.Rand
}

func (l *lockedRand) seed(seed uint64) { l.rng = newRand(seed, 0x5eed) }

// next is a fresh seed for a source of one's own.
func (l *lockedRand) next() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rng.Uint64()
}

// newRand is a repeatable source: invented people need no secrecy.
func newRand(a, b uint64) *rand.Rand {
	return rand.New(rand.NewPCG(a, b)) //nolint:gosec // see above
}
