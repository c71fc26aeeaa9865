package trulioo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"log/slog"
	"net/url"
	"strconv"

	"github.com/trulioo-go/trulioo/internal/redact"
)

const (
	maxLimit      = 50 // the vendor's page: 1 to 50, both inclusive
	maxEmptyPages = 10 // in a row, before the list is taken to be broken
)

// Page is one page of a list, of Workflow or EndClient. The counts are the
// server's words: it may clamp the limit, and the account may change between
// two pages.
type Page[T any] struct {
	TotalElements    int  // rows in the whole list
	TotalPages       int  // pages in the whole list
	Number           int  // this page's, from 0
	NumberOfElements int  // rows on this page
	Last             bool // no page comes after this one
	First            bool // no page comes before this one
	Data             []*T

	Raw json.RawMessage // the answer as the server sent it
}

// Format prints the type's name only: the rows are personal.
func (p Page[T]) Format(s fmt.State, _ rune) { redact.Format(s, "trulioo.Page") }

// LogValue is the type's name, for slog.
func (p Page[T]) LogValue() slog.Value { return redact.Value("trulioo.Page") }

// row is a pointer to a list's item, which decodes itself.
type row[T any] interface {
	*T
	decode(raw []byte) error
	identity() string
}

func (w *Workflow) identity() string  { return w.ID }
func (c *EndClient) identity() string { return c.ID }

// listPage asks for one page and decodes it row by row.
func listPage[T any, P row[T]](ctx context.Context, c *Client, r route, query url.Values) (*Page[T], error) {
	var page *Page[T]
	err := c.call(ctx, r.operation, c.address(r, "", query), func(body []byte) (err error) {
		page, err = decodePage[T, P](body)
		return err
	})
	if err != nil {
		return nil, err
	}
	return page, nil
}

func decodePage[T any, P row[T]](body []byte) (*Page[T], error) {
	var envelope struct {
		TotalElements    int               `json:"totalElements"`
		TotalPages       int               `json:"totalPages"`
		Number           int               `json:"number"`
		NumberOfElements int               `json:"numberOfElements"`
		Last             bool              `json:"last"`
		First            bool              `json:"first"`
		Data             []json.RawMessage `json:"data"`
	}
	if err := decodeJSON(body, &envelope); err != nil {
		return nil, err
	}
	page := &Page[T]{
		TotalElements:    envelope.TotalElements,
		TotalPages:       envelope.TotalPages,
		Number:           envelope.Number,
		NumberOfElements: envelope.NumberOfElements,
		Last:             envelope.Last,
		First:            envelope.First,
		Data:             make([]*T, 0, len(envelope.Data)),
		Raw:              body,
	}
	for i, raw := range envelope.Data {
		if string(raw) == "null" {
			continue
		}
		item := P(new(T))
		if err := item.decode(raw); err != nil {
			return nil, atRow(err, i)
		}
		page.Data = append(page.Data, item)
	}
	return page, nil
}

// atRow puts the place of a row's *DecodeError below its page.
func atRow(err error, i int) error {
	place := "data[" + strconv.Itoa(i) + "]"
	inner, ok := errors.AsType[*DecodeError](err)
	if !ok {
		return &DecodeError{Path: place, Reason: "not a row"}
	}
	if inner.Path != "" {
		place += "." + inner.Path
	}
	return &DecodeError{Path: place, Reason: inner.Reason}
}

// pages fetches a page by its number.
type pages[T any] func(ctx context.Context, number int) (*Page[T], error)

// all iterates over the rows of a list from page start on. The next page is
// fetched while the caller works on this one; leaving the loop cancels that
// and waits for it.
func all[T any, P row[T]](ctx context.Context, operation string, start int, fetch pages[T]) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		if err := checkContext(ctx); err != nil {
			yield(nil, err)
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		w := walk[T, P]{operation: operation, number: start, start: start}
		next := ahead(ctx, start, fetch)
		defer func() {
			cancel()
			<-next // closed, or closed as soon as the fetch has ended
		}()
		for {
			got := <-next
			if got.err != nil {
				yield(nil, got.err)
				return
			}
			more, err := w.judge(got.page)
			if err != nil {
				yield(nil, err)
				return
			}
			if more {
				next = ahead(ctx, w.number, fetch)
			}
			for _, item := range got.page.Data {
				if !yield(item, nil) {
					return
				}
			}
			if !more {
				return
			}
		}
	}
}

type fetched[T any] struct {
	page *Page[T]
	err  error
}

// ahead fetches a page beside the caller's work.
func ahead[T any](ctx context.Context, number int, fetch pages[T]) <-chan fetched[T] {
	c := make(chan fetched[T], 1)
	go func() {
		defer close(c)
		page, err := fetch(ctx, number)
		c <- fetched[T]{page, err}
	}()
	return c
}

// walk judges page after page whether the list goes on. No single word of the
// server is believed: last, totalPages and totalElements must agree before a
// page with rows is the end, and an empty page is one only where the counts say so.
type walk[T any, P row[T]] struct {
	operation string
	start     int
	number    int // of the page in hand
	seen      int // rows up to it, those before start by estimate
	empty     int // empty pages in a row
	seed      maphash.Seed
	pages     map[uint64]int // by a digest of the ids, how far from the list's end each page began
}

func (w *walk[T, P]) judge(page *Page[T]) (more bool, err error) {
	if len(page.Data) == 0 {
		more, err = w.judgeEmpty(page)
	} else {
		more, err = w.judgeRows(page)
	}
	w.number++
	return more, err
}

func (w *walk[T, P]) judgeRows(page *Page[T]) (bool, error) {
	if w.pages == nil {
		w.seed, w.pages = maphash.MakeSeed(), map[uint64]int{}
		w.seen = w.start * len(page.Data)
	}
	// Rows that others push down by adding new ones come again as far from the
	// list's end as before. A server that goes in circles counts nothing new.
	digest, left := w.digest(page), page.TotalElements-w.seen
	if before, known := w.pages[digest]; known && left < before {
		return false, w.broken("the server repeats a page")
	}
	w.pages[digest] = left
	w.empty = 0
	w.seen += len(page.Data)
	end := page.Last && w.number+1 >= page.TotalPages && w.seen >= page.TotalElements
	return !end, nil
}

func (w *walk[T, P]) digest(page *Page[T]) uint64 {
	var h maphash.Hash
	h.SetSeed(w.seed)
	for _, item := range page.Data {
		_, _ = h.WriteString(P(item).identity())
		_ = h.WriteByte(0)
	}
	return h.Sum64()
}

func (w *walk[T, P]) judgeEmpty(page *Page[T]) (bool, error) {
	w.empty++
	complete := w.seen >= page.TotalElements
	switch {
	case w.number+1 >= page.TotalPages && (complete || w.empty > 1):
		return false, nil
	case w.empty < maxEmptyPages:
		return true, nil
	case complete:
		return false, nil
	}
	return false, w.broken("the server sends only empty pages")
}

func (w *walk[T, P]) broken(reason string) error {
	return &DecodeError{Operation: w.operation, Path: "data", Reason: reason, cause: ErrPaging}
}

// checkPaging refuses what the server would silently replace by its default.
func checkPaging(options string, limit, page int) error {
	if limit < 0 || limit > maxLimit {
		return &ArgumentError{Argument: options + ".Limit", Reason: "must be 1 to 50, or 0 for the default"}
	}
	if page < 0 {
		return &ArgumentError{Argument: options + ".Page", Reason: "must not be negative"}
	}
	return nil
}

// pagingQuery leaves out what is at its default.
func pagingQuery(limit, page int) url.Values {
	query := url.Values{}
	if limit > 0 {
		query.Set("limit", strconv.Itoa(limit))
	}
	if page > 0 {
		query.Set("page", strconv.Itoa(page))
	}
	return query
}
