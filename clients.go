package trulioo

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/trulioo-go/trulioo/internal/census"
	"github.com/trulioo-go/trulioo/internal/pace"
	"github.com/trulioo-go/trulioo/internal/redact"
	"github.com/trulioo-go/trulioo/internal/transport"
)

// ClientsService asks about the end clients of the account: the people and
// businesses that went through its workflows.
type ClientsService struct{ client *Client }

// Format prints the type's name only: the client in it holds a secret.
func (ClientsService) Format(s fmt.State, _ rune) { redact.Format(s, "trulioo.ClientsService") }

// ClientListOptions choose a page of end clients. The zero value of a field
// does not filter.
type ClientListOptions struct {
	Limit int // rows on a page, 1 to 50; 0 is the server's default of 20, for All the largest
	Page  int // from 0; for All the page to begin with

	// After and Before bound the time of submission. They are sent as whole
	// seconds, After rounded down and Before up, so that nothing is cut off.
	// Whether the bounds are inclusive, and whether the time is that of creation
	// or of the last change, the vendor does not say.
	After, Before time.Time

	Statuses []Status // any of these
	FlowID   string   // only those who have been through this workflow
}

// List gets one page of the end clients. opts may be nil.
//
// Operation: GET query/clients
func (s *ClientsService) List(ctx context.Context, opts *ClientListOptions) (*Page[EndClient], error) {
	o := deref(opts)
	if err := o.check(); err != nil {
		return nil, err
	}
	return listPage(ctx, s.client, routes.clients, o.query(s.client.config.dialect), endClientOf)
}

// All iterates over the end clients, page after page, one page ahead of the
// caller. An error ends it. The vendor's pages are cut from a list that moves:
// a row can be missed or come twice where clients are added, removed or changed
// meanwhile. Export does not miss any.
func (s *ClientsService) All(ctx context.Context, opts *ClientListOptions) iter.Seq2[*EndClient, error] {
	o := deref(opts)
	o.Limit = cmp.Or(o.Limit, maxLimit)
	o.Statuses = slices.Clone(o.Statuses)
	return all[EndClient](ctx, routes.clients.operation, o.Page, func(ctx context.Context, number int) (*Page[EndClient], error) {
		page := o
		page.Page = number
		return s.List(ctx, &page)
	})
}

// GetOptions say how much of a profile is wanted.
type GetOptions struct {
	// FullServiceDetails asks for the vendor's whole transaction records, which
	// ServiceResult.Details and Profile.WatchlistHits need. They make an answer
	// many times larger.
	FullServiceDetails bool
}

// Get gets one end client's profile: everything submitted, over all workflows.
// clientID is EndClient.ID, which is also a webhook event's ClientID. opts may
// be nil. A client that does not exist is ErrNotFound.
//
// Operation: GET query/client/{clientId}
func (s *ClientsService) Get(ctx context.Context, clientID string, opts *GetOptions) (*Profile, error) {
	return s.profile(ctx, clientID, deref(opts).FullServiceDetails, nil)
}

// profile is Get, and tells read, unless it is nil, the size of the body before
// that is decoded.
func (s *ClientsService) profile(ctx context.Context, clientID string, full bool, read func(size int)) (*Profile, error) {
	if clientID == "" || transport.Dots(clientID) {
		return nil, &ArgumentError{Argument: "clientID", Reason: "must not be empty, \".\" or \"..\""}
	}
	var query url.Values
	if full {
		query = url.Values{"includeFullServiceDetails": {"true"}}
	}
	var profile *Profile
	err := s.client.call(ctx, routes.client.operation, s.client.address(routes.client, clientID, query), func(body []byte) error {
		if read != nil {
			read(len(body))
		}
		profile = &Profile{}
		if err := profile.decode(body); err != nil {
			return err
		}
		return profile.checkID(clientID, body)
	})
	if err != nil {
		return nil, err
	}
	return profile, nil
}

// checkID refuses what is not the profile of this client: an error or an empty
// object with a status of success, or what a cache has kept of somebody else.
func (p *Profile) checkID(clientID string, body []byte) error {
	switch p.ID {
	case clientID:
		return nil
	case "":
		return unexpected(body, "id", "no profile: an id is needed")
	}
	return &DecodeError{Path: "id", Reason: "the profile of another client", cause: ErrUnexpectedAnswer}
}

func (o *ClientListOptions) check() error {
	if err := checkPaging("ClientListOptions", o.Limit, o.Page); err != nil {
		return err
	}
	refuse := func(field, reason string) error {
		return &ArgumentError{Argument: "ClientListOptions." + field, Reason: reason}
	}
	switch {
	case !o.After.IsZero() && o.After.Unix() < 0:
		return refuse("After", "must not be before 1970")
	case !o.Before.IsZero() && o.Before.Unix() < 0:
		return refuse("Before", "must not be before 1970")
	case !o.After.IsZero() && !o.Before.IsZero() && !o.Before.After(o.After):
		return refuse("Before", "must be after After")
	}
	for _, status := range o.Statuses {
		if status == "" || strings.Contains(string(status), ",") {
			return refuse("Statuses", "must not hold an empty status or a comma")
		}
	}
	return nil
}

func (o *ClientListOptions) query(d Dialect) url.Values {
	query := pagingQuery(o.Limit, o.Page)
	if !o.After.IsZero() {
		d.setTime(query, "after", o.After)
	}
	if !o.Before.IsZero() {
		d.setTime(query, "before", o.Before.Add(time.Second-time.Nanosecond))
	}
	if len(o.Statuses) > 0 {
		d.setStatuses(query, o.Statuses)
	}
	if o.FlowID != "" {
		query.Set("flowId", o.FlowID)
	}
	return query
}

// ClientFilter chooses end clients for an export. Its fields mean what those
// of ClientListOptions do; the zero value is the whole account.
type ClientFilter struct {
	After, Before time.Time // bounds of the time; clients without a date are in no bounds
	Statuses      []Status  // any of these
	FlowID        string    // only those who have been through this workflow
}

func (f *ClientFilter) window() census.Span { return census.Window(f.After, f.Before) }

// page chooses a page of a span of the time.
func (f *ClientFilter) page(s census.Span, number int) *ClientListOptions {
	o := &ClientListOptions{Limit: maxLimit, Page: number, Statuses: f.Statuses, FlowID: f.FlowID}
	o.After, o.Before = s.Bounds()
	return o
}

func (f *ClientFilter) check() error {
	o := ClientListOptions{After: f.After, Before: f.Before, Statuses: f.Statuses, FlowID: f.FlowID}
	if err, ok := o.check().(*ArgumentError); ok { //nolint:errorlint // it is made there and bare
		return &ArgumentError{Argument: strings.Replace(err.Argument, "ClientListOptions", "ExportOptions.Filter", 1), Reason: err.Reason}
	}
	return nil
}

// digest tells filters apart without showing them.
func (f *ClientFilter) digest() string {
	window, statuses := f.window(), slices.Compact(slices.Sorted(slices.Values(f.Statuses)))
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %d %q %q", window.From, window.To, statuses, f.FlowID))
	return hex.EncodeToString(sum[:8])
}

// Slices cuts the account, or what a filter leaves of it, into slices of at most
// size clients each, or as few as one second has, without delivering any. Each
// can be exported by another process, with ExportOptions.Slice and the same
// Filter, in any order and again after a failure. The last one must wait for
// the others to be done: it finds the clients that moved meanwhile, and those
// without a date. A client can be in two slices, so what is exactly once in
// one export needs a key by client id where the results of all come together.
func (s *ClientsService) Slices(ctx context.Context, filter ClientFilter, size int) ([]Slice, error) {
	if size < 1 {
		return nil, &ArgumentError{Argument: "size", Reason: "must be positive"}
	}
	x, err := newExport(ctx, s.client, &ExportOptions{Filter: filter, Concurrency: 1})
	if err != nil {
		return nil, err
	}
	spans, err := x.lister.Cut(ctx, size)
	if err != nil {
		return nil, listError(err)
	}
	cut := make([]Slice, len(spans))
	for i, span := range spans {
		cut[i] = Slice{census.Cursor{Place: x.place, Mark: census.Mark{Span: span}}}
	}
	return cut, nil
}

// Slice is a piece of the account's time as a small JSON value, so that an
// export can be divided among processes. ClientsService.Slices makes them, and
// ExportOptions.Slice takes one. Its zero value is the whole account, and null
// in JSON.
type Slice struct{ of census.Cursor }

// IsZero reports whether the slice is the whole account.
func (s Slice) IsZero() bool { return s == Slice{} }

// MarshalJSON writes the slice.
func (s Slice) MarshalJSON() ([]byte, error) { return s.of.MarshalJSON() }

// UnmarshalJSON reads what MarshalJSON wrote. What it did not is an
// *ArgumentError.
func (s *Slice) UnmarshalJSON(data []byte) error { return unmarshalCursor("Slice", &s.of, data) }

// Cursor is how far an export has come: a small JSON value, to be kept after
// what came before it is safe. Its zero value is the beginning, and null in
// JSON. It holds the last client's id and date.
type Cursor struct{ at census.Cursor }

// IsZero reports whether the cursor is the beginning.
func (c Cursor) IsZero() bool { return c == Cursor{} }

// MarshalJSON writes the cursor.
func (c Cursor) MarshalJSON() ([]byte, error) { return c.at.MarshalJSON() }

// UnmarshalJSON reads what MarshalJSON wrote. What it did not is an
// *ArgumentError.
func (c *Cursor) UnmarshalJSON(data []byte) error { return unmarshalCursor("Cursor", &c.at, data) }

// Format prints the type's name only: a cursor holds a client's id.
func (c Cursor) Format(s fmt.State, _ rune) { redact.Format(s, "trulioo.Cursor") }

// LogValue is the type's name, for slog.
func (c Cursor) LogValue() slog.Value { return redact.Value("trulioo.Cursor") }

func unmarshalCursor(argument string, c *census.Cursor, data []byte) error {
	if err := c.UnmarshalJSON(data); err != nil {
		return &ArgumentError{Argument: argument, Reason: err.Error()}
	}
	return nil
}

// reading says what of the list an export reads, and what its cursors belong to.
func (o *ExportOptions) reading(c *config) (census.Config, census.Place, error) {
	if err := o.Filter.check(); err != nil {
		return census.Config{}, census.Place{}, err
	}
	r := census.Config{Window: o.Filter.window(), World: o.Filter.window(), Resume: o.Resume.at.Mark}
	place := census.Place{Environment: string(c.environment), APIVersion: string(c.version), Filter: o.Filter.digest()}
	if !o.Slice.IsZero() {
		if what := o.Slice.of.Differs(place); what != "" {
			return r, place, &ArgumentError{Argument: "ExportOptions.Slice", Reason: "is of another " + what}
		}
		r.World = o.Slice.of.Span
		sliced := o.Filter
		sliced.After, sliced.Before = r.World.Bounds()
		place.Filter = sliced.digest()
	}
	if what := o.Resume.at.Differs(place); what != "" && !o.Resume.IsZero() {
		return r, place, &ArgumentError{Argument: "ExportOptions.Resume", Reason: "is of another " + what}
	}
	return r, place, nil
}

// list is ClientsService.List for a span, with more patience.
func (x *export) list(ctx context.Context, s census.Span, number int) (*census.Page, error) {
	for try := 0; ; try++ {
		page, err := x.client.Clients.List(ctx, x.Filter.page(s, number))
		if err == nil {
			return censusPage(page), nil
		}
		if !x.client.again(ctx, err, try, brokenLists) {
			return nil, err
		}
	}
}

// censusPage is the page as package census takes it.
func censusPage(p *Page[EndClient]) *census.Page {
	rows := make([]census.Row, len(p.Data))
	for i, client := range p.Data {
		rows[i] = census.Row{ID: client.ID, Created: client.Created.Time, Changed: client.LastModified.Time, Value: client}
	}
	return &census.Page{Rows: rows, Total: p.TotalElements, Pages: p.TotalPages, Last: p.Last}
}

// listError turns what package census says into the typed errors.
func listError(err error) error {
	if wrong, ok := errors.AsType[*census.Contradiction](err); ok {
		return pagingError(routes.clients.operation, wrong.Reason)
	}
	return err
}

// again waits for a while and reports whether another call may help where the
// retries of the core did not. broken is how many more a broken connection or
// server deserves; none where the caller has turned retries off.
func (c *Client) again(ctx context.Context, err error, try, broken int) bool {
	policy := c.config.policy()
	var auth *AuthError
	var api *APIError
	var network *TransportError
	most := 0
	switch {
	case errors.As(err, &auth):
	case errors.As(err, &api) && api.RetryAfter > policy.MaxRetryAfter:
	case errors.Is(err, ErrConflict), errors.Is(err, ErrRateLimited):
		most = throttledCalls
	case errors.Is(err, ErrUnauthorized):
		most = refusedCalls
	case policy.MaxAttempts > 1 && (errors.As(err, &network) || errors.Is(err, ErrServer) || errors.Is(err, ErrUnexpectedAnswer) || errors.Is(err, io.ErrUnexpectedEOF)):
		most = broken
	}
	if try >= most {
		return false
	}
	bound := min(policy.MinWait<<min(try, 20), policy.MaxWait)
	return pace.Wait(ctx, rand.N(bound)+1) //nolint:gosec // jitter, no secret
}
