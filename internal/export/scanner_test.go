package export

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// A scan that fails while the caller is busy ends the caller's context too. The reason
// is what failed first, not that end.
func TestTheReasonIsWhatFailedFirst(t *testing.T) {
	t.Parallel()
	listFailed, deliverFailed := errors.New("the list"), errors.New("the caller")
	for name, c := range map[string]struct {
		deliver func(ctx context.Context) error
		want    error
	}{
		"the list, while the caller is busy": {func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, listFailed},
		"the caller":                         {func(context.Context) error { return deliverFailed }, deliverFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSmallServer(smallList{}, []int64{firstTime, firstTime, firstTime + 100, firstTime + 100, firstTime + 200}, nil, open)
			config, delivering := s.config(open, open, Position{}), make(chan struct{})
			config.Scale = func(n int) int { return n }
			var alone sync.Mutex
			config.List = func(ctx context.Context, r TimeRange, number int) (*Page[byte], error) {
				alone.Lock()
				page, err := s.list(ctx, r, number)
				alone.Unlock()
				if r.From > firstTime && r.From < latestSecond { // the first rows are on their way
					<-delivering
					err = listFailed
				}
				return page, err
			}
			first := true
			config.Deliver = func(ctx context.Context, _ Row[byte], _ Position, _ bool) error {
				if first {
					close(delivering)
				}
				first = false
				return c.deliver(ctx)
			}
			report, err := New(config).Run(t.Context())
			require.ErrorIs(t, err, c.want)
			require.NotErrorIs(t, err, context.Canceled)
			require.False(t, report.Proven)
		})
	}
}

// The server filters by a date that no row shows, long after those that rows show.
func TestDatesThatNoRowShows(t *testing.T) {
	t.Parallel()
	for way := range 8 {
		for refused := range 3 {
			list := smallList{inclusive: way&1 > 0, descending: way&2 > 0, refused: refused}
			shape := []int64{firstTime, firstTime, firstTime + 100, firstTime + 100, firstTime + 200, firstTime + 200}
			s := newSmallServer(list, shape, nil, open)
			for i := range s.rows {
				s.rows[i].filter += 1_000_000
			}
			o := s.scan(open, open, Position{}, way&4 > 0)
			require.NoError(t, o.err, "%+v", list)
			require.Len(t, o.times, len(shape), "%+v", list)
			require.True(t, o.report.Proven, "%+v", list)
			require.Less(t, s.requests, 150, "%+v", list)
		}
	}
}

// A row comes after the newest second, which fills a page. Inclusive bounds show that second
// in front of the row, and the next page is refused.
func TestARowBehindAFullSecond(t *testing.T) {
	t.Parallel()
	shape := []int64{firstTime, firstTime, firstTime + 100, firstTime + 100, firstTime + 200, firstTime + 200}
	for refused := 1; refused <= 2; refused++ {
		for at := range 40 {
			s := newSmallServer(smallList{inclusive: true, refused: refused}, shape, []change{{insert, 0, at}}, open)
			o := s.scan(open, open, Position{}, false)
			require.NoError(t, o.err, "refused from page %d, before request %d", refused, at)
			require.GreaterOrEqual(t, len(o.times), len(shape))
		}
	}
}
