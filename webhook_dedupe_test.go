package trulioo_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
)

// counted is a function that counts its runs and fails while it is told to.
type counted struct {
	runs  atomic.Int64
	fails atomic.Int64 // how many runs still fail
}

func (c *counted) fn(context.Context, *trulioo.Event) error {
	c.runs.Add(1)
	if c.fails.Add(-1) >= 0 {
		return errors.New("failed")
	}
	return nil
}

// Trap: an event is marked as seen before the work succeeds, and is lost when it fails.
func TestWebhookTrapMarkedBeforeSuccess(t *testing.T) {
	t.Parallel()
	c := &counted{}
	c.fails.Store(1)
	h := newHook(t, c.fn)
	assert.Equal(t, 500, post(t, h, callback("")).Code)
	assert.Equal(t, 200, post(t, h, callback("")).Code)
	assert.Equal(t, 200, post(t, h, callback("")).Code)
	assert.EqualValues(t, 2, c.runs.Load())
}

// Trap: de-duplication by "id" loses events, since all events of a flow share it.
func TestWebhookTrapDedupeByID(t *testing.T) {
	t.Parallel()
	c := &counted{}
	h := newHook(t, c.fn)
	start, end := callback(`,"event":{"type":"FLOW_START","ts":1}`), callback(`,"event":{"type":"FLOW_END","ts":2}`)
	again := callback(`,"retry":1, "event":{"ts":2,"type":"FLOW_END"}`)
	for _, body := range []string{start, end, again} {
		assert.Equal(t, 200, post(t, h, body).Code)
	}
	assert.EqualValues(t, 2, c.runs.Load())
}

// Trap: the sender times out on a slow function and sends again while the
// first run goes on. Here the function ignores its context for longer than the
// lease, too.
func TestWebhookTrapOverlap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &counted{}
		h := newHook(t, func(ctx context.Context, ev *trulioo.Event) error {
			pass(time.Minute)
			return c.fn(ctx, ev)
		})
		first := make(chan int, 1)
		go func() { first <- post(t, h, callback("")).Code }()
		for range 5 {
			pass(11 * time.Second)
			w := post(t, h, callback(`,"retry":1`))
			assert.Equal(t, 503, w.Code)
			assert.NotEmpty(t, w.Header().Get("Retry-After"))
		}
		assert.Equal(t, 200, <-first)
		assert.Equal(t, 200, post(t, h, callback(`,"retry":2`)).Code)
		assert.EqualValues(t, 1, c.runs.Load())
	})
}

// Two processes share a Deduper: while one holds the event the other answers
// 503, and when its lease ends with no word of it, the other runs it.
func TestWebhookLeaseOfADeadProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := trulioo.NewMemoryDeduper(10, time.Hour)
		ev, err := trulioo.ParseEvent([]byte(callback("")))
		require.NoError(t, err)
		claim, state, err := shared.Reserve(t.Context(), ev.Key(), 38*time.Second)
		require.NoError(t, err)
		require.Equal(t, trulioo.DedupNew, state)

		c := &counted{}
		h := newHook(t, c.fn, trulioo.WithDeduper(shared))
		assert.Equal(t, 503, post(t, h, callback("")).Code)
		pass(38 * time.Second)
		assert.Equal(t, 200, post(t, h, callback("")).Code)
		assert.EqualValues(t, 1, c.runs.Load())
		require.Error(t, shared.Commit(t.Context(), ev.Key(), claim), "the dead one's claim is fenced")
	})
}

// scripted is a Deduper that fails, hangs or panics where it is told to.
type scripted struct {
	trulioo.Deduper
	reserve, commit, release func(ctx context.Context) error
	leases                   []time.Duration
}

func (s *scripted) Reserve(ctx context.Context, key string, lease time.Duration) (string, trulioo.DedupState, error) {
	s.leases = append(s.leases, lease)
	if s.reserve != nil {
		return "", trulioo.DedupInFlight, s.reserve(ctx)
	}
	return s.Deduper.Reserve(ctx, key, lease)
}

func (s *scripted) Commit(ctx context.Context, key, claim string) error {
	if s.commit != nil {
		return s.commit(ctx)
	}
	return s.Deduper.Commit(ctx, key, claim)
}

func (s *scripted) Release(ctx context.Context, key, claim string) error {
	if s.release != nil {
		return s.release(ctx)
	}
	return s.Deduper.Release(ctx, key, claim)
}

// A Deduper that is down costs no event: the error hook gets its errors.
func TestWebhookDeduperDown(t *testing.T) {
	t.Parallel()
	down := func(context.Context) error { return errors.New("down") }
	hangs := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	panics := func(context.Context) error { panic("down") }
	for name, tc := range map[string]struct {
		deduper scripted
		fails   int64
		status  int
		steps   []string
	}{
		"reserve fails":  {scripted{reserve: down}, 0, 200, []string{"reserve"}},
		"reserve hangs":  {scripted{reserve: hangs}, 0, 200, []string{"reserve"}},
		"reserve panics": {scripted{reserve: panics}, 0, 200, []string{"reserve"}},
		"and so does fn": {scripted{reserve: down}, 1, 500, []string{"reserve", "run"}},
		"commit fails":   {scripted{commit: down}, 0, 200, []string{"commit"}},
		"commit hangs":   {scripted{commit: hangs}, 0, 200, []string{"commit"}},
		"commit panics":  {scripted{commit: panics}, 0, 200, []string{"commit"}},
		"release fails":  {scripted{release: down}, 1, 500, []string{"release", "run"}},
		"release hangs":  {scripted{release: hangs}, 1, 500, []string{"release", "run"}},
		"nothing fails":  {scripted{}, 0, 200, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tc.deduper.Deduper = trulioo.NewMemoryDeduper(10, time.Hour)
				c, errs := &counted{}, &hookErrors{}
				c.fails.Store(tc.fails)
				h := newHook(t, func(ctx context.Context, ev *trulioo.Event) error {
					require.NoError(t, ctx.Err(), "a Deduper that hangs leaves time for the function")
					return c.fn(ctx, ev)
				}, errs.option(), trulioo.WithDeduper(&tc.deduper))
				begun := time.Now()
				assert.Equal(t, tc.status, post(t, h, callback("")).Code)
				assert.Less(t, time.Since(begun), 8*time.Second)
				assert.EqualValues(t, 1, c.runs.Load())
				assert.Equal(t, []time.Duration{38 * time.Second}, tc.deduper.leases)
				var steps []string
				for _, err := range errs.all() {
					var failed *trulioo.WebhookError
					require.ErrorAs(t, err, &failed)
					steps = append(steps, failed.Step)
				}
				assert.Equal(t, tc.steps, steps)
			})
		})
	}
}

// The claim is settled though the deadline has passed.
func TestWebhookCommitsAfterTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var late error
		d := &scripted{Deduper: trulioo.NewMemoryDeduper(10, time.Hour)}
		d.commit = func(ctx context.Context) error { late = ctx.Err(); return nil }
		h := newHook(t, func(context.Context, *trulioo.Event) error { pass(9 * time.Second); return nil }, trulioo.WithDeduper(d))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		body := callback("")
		status, _, _ := h.Handle(ctx, map[string][]string{"Content-Type": {"application/json"}, "X-Trulioo-Signature": {sign([]byte(body), hookSecret)}}, []byte(body))
		assert.Equal(t, 200, status)
		require.NoError(t, late)
	})
}

// fate is the outcome of one run of an event's function.
type fate int

const (
	succeeds fate = iota
	fails
	panicsOut
	timesOut
	overruns // past the deadline, and still succeeds
)

// ledger counts runs and successes of events.
type ledger struct {
	mu        sync.Mutex
	rng       *rand.Rand
	runs      map[string]int
	successes map[string]int
	now       map[string]int // running at this moment
	overlaps  int
}

func (l *ledger) fn(ctx context.Context, ev *trulioo.Event) error {
	l.mu.Lock()
	l.runs[ev.UserID]++
	l.now[ev.UserID]++
	if l.now[ev.UserID] > 1 {
		l.overlaps++
	}
	roll := l.rng.IntN(1000)
	l.mu.Unlock()
	what := succeeds
	switch {
	case roll < 200:
		what = fails
	case roll < 230:
		what = panicsOut
	case roll < 250:
		what = timesOut
	case roll < 270:
		what = overruns
	}
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.now[ev.UserID]--
		if what == succeeds || what == overruns {
			l.successes[ev.UserID]++
		}
	}()
	switch what {
	case fails:
		return errors.New("failed")
	case panicsOut:
		panic("panicked")
	case timesOut:
		<-ctx.Done()
		return ctx.Err()
	case overruns:
		pass(time.Minute)
	case succeeds:
		pass(time.Duration(roll) * time.Millisecond)
	}
	return nil
}

// TestWebhookProperty sends 10,000 events, 30 % of them twice, in any order
// and at once, to two handlers of which each is replaced by a fresh one in the
// middle, all with one Deduper. The function fails 20 % of its runs, panics in
// 3 % and misses its deadline in 4 %. The sender goes on until each delivery
// is acknowledged. Every event must succeed exactly once and never run beside itself.
func TestWebhookProperty(t *testing.T) {
	t.Parallel()
	const events = 10_000
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(3, 4))
		l := &ledger{rng: rand.New(rand.NewPCG(1, 2)), runs: map[string]int{}, successes: map[string]int{}, now: map[string]int{}}
		shared := trulioo.NewMemoryDeduper(2*events, 24*time.Hour)
		// A lease that the functions which overrun do not outlive in another process.
		fresh := func() *trulioo.WebhookHandler {
			return newHook(t, l.fn, trulioo.WithDeduper(shared), trulioo.WithHandlerTimeout(45*time.Second))
		}
		var handlers [2]atomic.Pointer[trulioo.WebhookHandler]
		handlers[0].Store(fresh())
		handlers[1].Store(fresh())

		var queue []int
		for i := range events {
			queue = append(queue, i)
			if rng.Float64() < 0.3 {
				queue = append(queue, i)
			}
		}
		rng.Shuffle(len(queue), func(i, j int) { queue[i], queue[j] = queue[j], queue[i] })

		work := make(chan int)
		var acknowledged atomic.Int64
		var senders sync.WaitGroup
		for s := range 64 {
			senders.Go(func() {
				for i := range work {
					for retry := 0; ; retry++ {
						if retry == 100 {
							t.Errorf("event %d is not acknowledged after %d deliveries", i, retry)
							break
						}
						body := callback(fmt.Sprintf(`,"userId":"u%d","retry":%d`, i, retry))
						if post(t, handlers[(s+retry)%2].Load(), body).Code == 200 {
							acknowledged.Add(1)
							break
						}
						pass(5 * time.Second)
					}
				}
			})
		}
		for n, i := range queue {
			if n == len(queue)/3 || n == len(queue)/2 {
				handlers[n%2].Store(fresh()) // a restart: the old one's events are still in flight
			}
			work <- i
		}
		close(work)
		senders.Wait()

		assert.EqualValues(t, len(queue), acknowledged.Load())
		assert.Len(t, l.runs, events, "none was lost")
		assert.Zero(t, l.overlaps, "none ran beside itself")
		once := 0
		for _, n := range l.successes {
			if n == 1 {
				once++
			}
		}
		assert.Equal(t, events, once, "each succeeded exactly once")
	})
}
