package trulioo

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"time"
)

// ExportOptions shape an export. The zero value exports the whole account.
type ExportOptions struct {
	Filter ClientFilter

	// Concurrency bounds the requests for profiles, and OnProfile with them;
	// 0 means 8, and more than 1,000 means 1,000. The list is read beside them with at
	// most 4 requests at once, and 6 from a concurrency of 48 on.
	Concurrency int

	// FullServiceDetails is as in GetOptions.
	FullServiceDetails bool

	// SummariesOnly leaves the profiles out: items have their Client only.
	SummariesOnly bool

	// Slice exports a piece of the account that ClientsService.Slices has cut.
	Slice Slice

	// Resume goes on after the item that this cursor came with. A cursor of another
	// environment, API version, filter or slice is an *ArgumentError. Over a crash,
	// each client comes at least once with Resume alone, and exactly once with Skip.
	Resume Cursor

	// PassFailed lets cursors pass over clients that failed. It is for callers who keep
	// the ids of these clients and try them again themselves. Without it a cursor
	// stays before the first client that failed, so that Resume tries it again.
	PassFailed bool

	// Skip reports whether the caller has the client of this row already, as it is
	// now: it is then neither fetched nor yielded. Comparing LastModified makes an
	// export of what has changed. It is called from one goroutine at a time, which is
	// not the caller's, and must not keep or change the row.
	Skip func(row *EndClient) bool

	// OnProfile is called for each profile as it comes, before its turn to be
	// yielded, on up to Concurrency goroutines at once: the place to save its files. It
	// counts as the profile's request does, so while it makes one request at a
	// time Concurrency bounds files and profiles together. Its requests should go
	// through c, since the export slows down when the server asks c to. The error
	// becomes the item's Err, an *ExportError.
	OnProfile func(ctx context.Context, c *Client, p *Profile) error

	// OnProgress is called after each client, in the goroutine of the loop, before
	// the item is yielded. It should be quick.
	OnProgress func(ExportProgress)

	// OnReport is called once, at the end of an export that was not left early, in
	// the goroutine of the loop: before the last error is yielded, if there is one.
	OnReport func(ExportReport)
}

// ExportProgress is how far an export has come, in clients.
type ExportProgress struct {
	Done    int // yielded without an error
	Failed  int // yielded with Err
	Gone    int // deleted between the list and the fetch, in the API's own words: they are not yielded
	Skipped int // by Skip, or before Resume in the slice that it lies in
	Total   int // the server's count, at the start, of the clients that were left; clients may be added

	Rate    float64 // clients a second since the start, without those skipped
	Elapsed time.Duration

	// Fallback says that the server ignores the bounds of time or sends no counts, so
	// that the list could only be read page by page, several times over. Such an export
	// finds only what a moving list lets it find, and a cursor of it starts from the
	// beginning.
	Fallback bool
}

// ExportReport is how an export went.
type ExportReport struct {
	// Proven says that no client is missing that was there from the start to the end.
	// The proof assumes that a client which is deleted does not come back, and that the
	// server counts its list right; docs/exports.md has it. An export that is not
	// proven is most likely complete too, unless Reason says otherwise.
	Proven bool
	Reason string // why it is not proven, as a constant text; "" where it is

	Requests int           // for the list
	Passes   int           // over the whole list
	Dropped  int           // clients outside of the filter's bounds, from a server that ignores bounds
	Gone     int           // clients deleted between the list and the fetch
	Waited   time.Duration // before calls that were tried again after the retries of the client
}

// ExportItem is one client of an export.
//
//trulioo:redact
type ExportItem struct {
	Client  *EndClient // the row of the list; never nil
	Profile *Profile   // nil where Err came before it, and with SummariesOnly
	Err     error      // an *ExportError: this client could not be fetched; the export goes on
	Cursor  Cursor     // resumes after this item or, where one has failed, before the first that did
}

// ExportError means that one client could not be exported. It prints its cause,
// and never the client's id.
//
//trulioo:redact text
type ExportError struct {
	Operation string // OperationGetClient, or OperationHandleProfile where OnProfile failed
	ClientID  string // the end client's id, which is personal

	cause error
}

// Error names the operation and the cause, as far as that is this library's own.
func (e *ExportError) Error() string {
	var (
		api    *APIError
		decode *DecodeError
		own    error
	)
	switch {
	case errors.As(e.cause, &api):
		own = api
	case errors.As(e.cause, &decode):
		own = decode
	}
	if own != nil {
		return "trulioo: export: " + strings.TrimPrefix(own.Error(), "trulioo: ")
	}
	text := "trulioo: export: " + cmp.Or(e.Operation, OperationGetClient)
	if e.cause != nil {
		text += ": " + cause(e.cause)
	}
	return text
}

// Unwrap gives the cause, such as an *APIError or what OnProfile returned.
func (e *ExportError) Unwrap() error { return e.cause }

// Export yields every client of the account with its profile, in parallel and
// while the account changes: each client that exists from the start to the end
// is yielded exactly once, or the export ends with an error, or its ExportReport says
// that this could not be proven. Clients that come later may be yielded, those
// deleted meanwhile may not.
//
// An error ends the export: no token, no right to list, the end of ctx, a wrong
// argument, a list that counts more clients than it sends (ErrPaging), nearly every
// client said not to exist (ErrUnexpectedAnswer), or a 429 or 503 that asks for a
// longer wait than the retry policy allows. A client that cannot be fetched does not
// end it: its item has an Err.
//
// Items come in the order of the list's Created, then ID, except clients that
// only later looks at the list can find: those that have changed meanwhile where the
// server filters by the last change, and those without a date, come at the
// end. Up to 8 × Concurrency profiles are fetched ahead of the loop. A 429, 409 or
// 503 halves the requests made at once, and answers raise them again.
// Leaving the loop ends all work of the export and waits for that end. opts may be
// nil.
func (s *ClientsService) Export(ctx context.Context, opts *ExportOptions) iter.Seq2[*ExportItem, error] {
	o := deref(opts)
	o.Filter.Statuses = slices.Clone(o.Filter.Statuses)
	o.Concurrency = min(cmp.Or(o.Concurrency, defaultConcurrency), mostConcurrency)
	return func(yield func(*ExportItem, error) bool) {
		x, err := newExport(ctx, s.client, &o)
		if err != nil {
			yield(nil, err)
			return
		}
		x.run(ctx, yield)
	}
}
