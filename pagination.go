package trulioo

import (
	"context"
	"encoding/json"
	"iter"
	"net/url"
	"slices"
	"strconv"

	"github.com/trulioo-go/trulioo/internal/paging"
	"github.com/trulioo-go/trulioo/internal/wire"
)

const maxLimit = 50 // the vendor's page: 1 to 50, both inclusive

// Page is one page of a list, of Workflow or EndClient. The counts are the
// server's words: it may clamp the limit, and the account may change between
// two pages.
//
//trulioo:redact
type Page[T any] struct {
	TotalElements    int  `json:"totalElements"`    // rows in the whole list
	TotalPages       int  `json:"totalPages"`       // pages in the whole list
	Number           int  `json:"number"`           // this page's, from 0
	NumberOfElements int  `json:"numberOfElements"` // rows on this page
	Last             bool `json:"last"`             // no page comes after this one
	First            bool `json:"first"`            // no page comes before this one
	Data             []*T `json:"data"`

	// Raw is the answer as the server sent it. Encoding emits it; clear it to
	// encode changed fields.
	Raw json.RawMessage `json:"-"`
}

// MarshalJSON emits Raw where there is one, and else the fields by the vendor's names.
func (p Page[T]) MarshalJSON() ([]byte, error) {
	type plain Page[T]
	return encode(p.Raw, plain(p))
}

// row is a pointer to a list's item.
type row[T any] interface {
	*T
	identity() string
}

func (w *Workflow) identity() string  { return w.ID }
func (c *EndClient) identity() string { return c.ID }

// listPage gets one page. of makes a row of its fields.
func listPage[T, F any](ctx context.Context, c *Client, r route, query url.Values, of func(*F) *T) (*Page[T], error) {
	return get(ctx, c, r, "", query, func(body []byte) (*Page[T], error) { return decodePage(body, of) })
}

func workflowOf(fields *plainWorkflow) *Workflow    { return (*Workflow)(fields) }
func endClientOf(fields *plainEndClient) *EndClient { return (*EndClient)(fields) }

func decodePage[T, F any](body []byte, of func(*F) *T) (*Page[T], error) {
	var envelope struct {
		TotalElements    *int  `json:"totalElements"`
		TotalPages       *int  `json:"totalPages"`
		Number           int   `json:"number"`
		NumberOfElements *int  `json:"numberOfElements"`
		Last             *bool `json:"last"`
		First            bool  `json:"first"`
		Data             []*F  `json:"data"`
	}
	if err := decodeJSON(body, &envelope); err != nil {
		return nil, err
	}
	counted := envelope.TotalElements != nil || envelope.TotalPages != nil || envelope.NumberOfElements != nil
	switch {
	case !counted && (envelope.Last == nil || len(envelope.Data) == 0):
		return nil, unexpected(body, "totalElements", "not a page of a list: it has no count")
	case envelope.Data == nil && !emptyMember(body, "data"):
		return nil, unexpected(body, "data", "not a page of a list: data is not a list")
	}
	page := &Page[T]{
		TotalElements:    deref(envelope.TotalElements),
		TotalPages:       deref(envelope.TotalPages),
		Number:           envelope.Number,
		NumberOfElements: deref(envelope.NumberOfElements),
		Last:             deref(envelope.Last),
		First:            envelope.First,
		Data:             make([]*T, 0, len(envelope.Data)),
		Raw:              body,
	}
	for _, fields := range envelope.Data {
		if fields != nil {
			page.Data = append(page.Data, of(fields))
		}
	}
	if len(page.Data) < len(envelope.Data) {
		if err := checkRows(body); err != nil {
			return nil, err
		}
	}
	return page, nil
}

// checkRows refuses a row that is neither an object nor null.
func checkRows(body []byte) error {
	var envelope struct {
		Data []oddRow `json:"data"`
	}
	if err := decodeJSON(body, &envelope); err != nil {
		return err
	}
	if i := slices.Index(envelope.Data, true); i >= 0 {
		return &DecodeError{Path: "data[" + strconv.Itoa(i) + "]", Reason: "not of the expected JSON type"}
	}
	return nil
}

// oddRow is true for a value that is neither an object nor null.
type oddRow bool

// UnmarshalJSON looks at the value's kind.
func (o *oddRow) UnmarshalJSON(data []byte) error {
	*o = data[0] != '{' && data[0] != 'n'
	return nil
}

// emptyMember reports whether an object has a member of this name that is null
// or has nothing in it.
func emptyMember(body []byte, name string) bool {
	empty := false
	_ = wire.Members(body, func(_, member, value []byte) { // decoded before
		if string(member) == name {
			empty = wire.IsEmpty(wire.Unpack(value))
		}
	})
	return empty
}

// all iterates over the rows of a list from page start on. The next page is
// fetched while the caller works on this one; leaving the loop cancels that
// and waits for it.
func all[T any, P row[T]](ctx context.Context, operation string, start int, fetch paging.Fetch[*Page[T]]) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		if err := checkContext(ctx); err != nil {
			yield(nil, err)
			return
		}
		detector := paging.NewEndDetector(start)
		more := func(page *Page[T]) (bool, error) {
			counts := paging.Counts{Rows: len(page.Data), TotalElements: page.TotalElements, TotalPages: page.TotalPages, Last: page.Last}
			goesOn, err := detector.More(counts, func(i int) string { return P(page.Data[i]).identity() })
			if err != nil {
				err = pagingError(operation, err.Error())
			}
			return goesOn, err
		}
		err := paging.Each(ctx, start, fetch, more, func(page *Page[T]) bool {
			for _, item := range page.Data {
				if !yield(item, nil) {
					return false
				}
			}
			return true
		})
		if err != nil {
			yield(nil, err)
		}
	}
}

// pagingError is the error for pages that contradict each other.
func pagingError(operation, reason string) error {
	return &DecodeError{Operation: operation, Path: "data", Reason: reason, cause: ErrPaging}
}

// checkPaging refuses values that the server would silently replace by its default.
func checkPaging(options string, limit, page int) error {
	if limit < 0 || limit > maxLimit {
		return &ArgumentError{Argument: options + ".Limit", Reason: "must be 1 to 50, or 0 for the default"}
	}
	if page < 0 {
		return &ArgumentError{Argument: options + ".Page", Reason: "must not be negative"}
	}
	return nil
}

// pagingQuery leaves out parameters at their default.
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
