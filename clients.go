package trulioo

import (
	"cmp"
	"context"
	"iter"
	"net/url"
	"slices"
	"strings"
	"time"
)

// ClientsService asks about the end clients of the account: the people and
// businesses that went through its workflows.
//
//trulioo:redact fmt
type ClientsService struct{ client *Client }

// ClientListOptions choose a page of end clients. The zero value of a field
// does not filter.
type ClientListOptions struct {
	Limit int // rows on a page, 1 to 50; 0 means the server's default of 20, and 50 for All
	Page  int // from 0; All begins with it

	// After and Before bound the time of submission. They are sent as whole
	// seconds, After rounded down and Before up, so that nothing is cut off.
	// The vendor does not say whether the bounds are inclusive, and whether the
	// time is that of creation or of the last change.
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
	return listPage(ctx, s.client, routes.clients, o.filter().query(s.client.config.dialect, o.Limit, o.Page), endClientOf)
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

// profile is Get. It calls read, unless that is nil, with the size of the body
// before it decodes the body.
func (s *ClientsService) profile(ctx context.Context, clientID string, full bool, read func(size int)) (*Profile, error) {
	var query url.Values
	if full {
		query = url.Values{"includeFullServiceDetails": {"true"}}
	}
	return get(ctx, s.client, routes.client, clientID, query, func(body []byte) (*Profile, error) {
		if read != nil {
			read(len(body))
		}
		profile := &Profile{}
		if err := profile.decode(body); err != nil {
			return nil, err
		}
		return profile, profile.checkID(clientID, body)
	})
}

// checkID refuses an answer that is not the profile of this client: an error or an
// empty object with a status of success, or a cache's profile of somebody else.
func (p *Profile) checkID(clientID string, body []byte) error {
	switch p.ID {
	case clientID:
		return nil
	case "":
		return unexpected(body, "id", "not a profile: it has no id")
	}
	return &DecodeError{Path: "id", Reason: "the answer is the profile of another client", cause: ErrUnexpectedAnswer}
}

// filter holds the fields that the options share with an export.
func (o *ClientListOptions) filter() *ClientFilter {
	return &ClientFilter{After: o.After, Before: o.Before, Statuses: o.Statuses, FlowID: o.FlowID}
}

func (o *ClientListOptions) check() error {
	if err := checkPaging("ClientListOptions", o.Limit, o.Page); err != nil {
		return err
	}
	return o.filter().check("ClientListOptions")
}

// ClientFilter chooses end clients for an export. Its fields mean what those
// of ClientListOptions do; the zero value is the whole account.
type ClientFilter struct {
	After, Before time.Time // bounds of the time; clients without a date are in no bounds
	Statuses      []Status  // any of these
	FlowID        string    // only those who have been through this workflow
}

// check refuses values that cannot be meant. Its errors name the options that the
// filter is part of.
func (f *ClientFilter) check(options string) error {
	refuse := func(field, reason string) error {
		return &ArgumentError{Argument: options + "." + field, Reason: reason}
	}
	switch {
	case !f.After.IsZero() && f.After.Unix() < 0:
		return refuse("After", "must not be before 1970")
	case !f.Before.IsZero() && f.Before.Unix() < 0:
		return refuse("Before", "must not be before 1970")
	case !f.After.IsZero() && !f.Before.IsZero() && !f.Before.After(f.After):
		return refuse("Before", "must be after After")
	}
	for _, status := range f.Statuses {
		if status == "" || strings.Contains(string(status), ",") {
			return refuse("Statuses", "must not hold an empty status or a comma")
		}
	}
	return nil
}

// query has the parameters that ask for a page of the clients that the filter chooses.
func (f *ClientFilter) query(d Dialect, limit, page int) url.Values {
	query := pagingQuery(limit, page)
	if !f.After.IsZero() {
		d.setTime(query, "after", f.After)
	}
	if !f.Before.IsZero() {
		d.setTime(query, "before", f.Before.Add(time.Second-time.Nanosecond))
	}
	if len(f.Statuses) > 0 {
		d.setStatuses(query, f.Statuses)
	}
	if f.FlowID != "" {
		query.Set("flowId", f.FlowID)
	}
	return query
}
