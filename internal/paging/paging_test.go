package paging

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// page is a page of a made-up server, with the ids of its rows.
type page struct {
	ids      string // one letter a row
	elements int
	pages    int
	last     bool
}

func (p page) counts() Counts {
	return Counts{Rows: len(p.ids), TotalElements: p.elements, TotalPages: p.pages, Last: p.last}
}

func (p page) id(row int) string { return p.ids[row : row+1] }

func TestEndDetector(t *testing.T) {
	t.Parallel()
	repeat := func(p page, times int) []page {
		all := make([]page, times)
		for i := range all {
			all[i] = p
		}
		return all
	}
	tests := map[string]struct {
		start int
		pages []page // all but the last go on
		want  error
	}{
		"all three agree":              {0, []page{{"ab", 3, 2, false}, {"c", 3, 2, true}}, nil},
		"a single page":                {0, []page{{"a", 1, 1, true}}, nil},
		"an empty list":                {0, []page{{"", 0, 0, true}}, nil},
		"last alone is not believed":   {0, []page{{"ab", 3, 2, true}, {"c", 3, 2, true}}, nil},
		"pages alone are not believed": {0, []page{{"ab", 3, 1, false}, {"c", 3, 1, true}}, nil},
		"rows alone are not believed":  {0, []page{{"ab", 2, 2, true}, {"c", 2, 2, true}}, nil},
		"counts beyond the rows":       {0, []page{{"ab", 9, 1, true}, {"", 9, 1, true}, {"", 9, 1, true}}, nil},
		"an empty page between":        {0, []page{{"ab", 4, 3, false}, {"", 4, 3, false}, {"cd", 4, 3, true}}, nil},
		"each run of empty pages":      {0, []page{{"ab", 5, 3, false}, {"", 5, 3, false}, {"cd", 5, 3, true}, {"", 5, 3, true}, {"", 5, 3, true}}, nil},
		"a later start":                {2, []page{{"ef", 7, 4, false}, {"g", 7, 4, true}}, nil},
		"a start beyond the end":       {7, []page{{"", 7, 4, true}, {"", 7, 4, true}}, nil},
		"rows pushed down":             {0, []page{{"ab", 4, 2, false}, {"ab", 6, 3, false}, {"cd", 6, 3, true}}, nil},
		"in circles":                   {0, []page{{"ab", 9, 9, false}, {"cd", 9, 9, false}, {"ab", 9, 9, false}}, ErrRepeated},
		"one page for ever":            {0, []page{{"ab", 9, 9, false}, {"ab", 9, 9, false}}, ErrRepeated},
		"nothing but empty pages":      {0, repeat(page{"", 5, 99, false}, maxEmptyPages), ErrOnlyEmpty},
		"empty pages behind all rows":  {0, append([]page{{"a", 1, 99, false}}, repeat(page{"", 1, 99, false}, maxEmptyPages)...), nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			detector := NewEndDetector(test.start)
			for i, p := range test.pages {
				more, err := detector.More(p.counts(), p.id)
				if i+1 < len(test.pages) {
					require.NoError(t, err, "page %d", i)
					require.True(t, more, "page %d", i)
					continue
				}
				require.ErrorIs(t, err, test.want)
				assert.False(t, more)
			}
		})
	}
}

// Ids are told apart, not only their letters.
func TestPagesOfTheSameLettersAreNotTheSame(t *testing.T) {
	t.Parallel()
	detector, counts := NewEndDetector(0), Counts{Rows: 2, TotalElements: 9, TotalPages: 9}
	for _, ids := range [][]string{{"ab", "c"}, {"a", "bc"}} {
		more, err := detector.More(counts, func(row int) string { return ids[row] })
		require.NoError(t, err)
		assert.True(t, more)
	}
}

//nolint:paralleltest // AllocsPerRun counts what all tests allocate.
func TestADigestCostsNoAllocation(t *testing.T) {
	detector, p := NewEndDetector(0), page{"abcdef", 99, 99, false}
	_, err := detector.More(p.counts(), p.id)
	require.NoError(t, err)
	id := p.id
	assert.Zero(t, testing.AllocsPerRun(100, func() { detector.digest(len(p.ids), id) }))
}

// numbers are the pages 0 to 4.
func numbers(_ context.Context, number int) (int, error) { return number, nil }

func until4(page int) (bool, error) { return page < 4, nil }

func TestEach(t *testing.T) {
	t.Parallel()
	var got []int
	use := func(page int) bool {
		got = append(got, page)
		return true
	}
	require.NoError(t, Each(t.Context(), 1, numbers, until4, use))
	assert.Equal(t, []int{1, 2, 3, 4}, got)

	mine := errors.New("mine")
	got = nil
	broken := func(ctx context.Context, number int) (int, error) {
		if number == 2 {
			return 0, mine
		}
		return numbers(ctx, number)
	}
	require.ErrorIs(t, Each(t.Context(), 0, broken, until4, use), mine)
	assert.Equal(t, []int{0, 1}, got)

	got = nil
	require.ErrorIs(t, Each(t.Context(), 0, numbers, func(int) (bool, error) { return true, mine }, use), mine)
	assert.Empty(t, got)
}

// A fetch that is underway when the caller leaves is canceled, and over.
func TestEachLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	ended := false
	fetch := func(ctx context.Context, number int) (string, error) {
		if number == 0 {
			return strconv.Itoa(number), nil
		}
		<-ctx.Done()
		ended = true
		return "", ctx.Err()
	}
	err := Each(t.Context(), 0, fetch, func(string) (bool, error) { return true, nil }, func(string) bool { return false })
	require.NoError(t, err)
	assert.True(t, ended)
}
