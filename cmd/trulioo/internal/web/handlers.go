package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/dates"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/exportruns"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/exportstore"
)

// overview shows the account over time.
func (w *Server) overview(to http.ResponseWriter, r *http.Request) {
	rows, err := w.rows(r.Context())
	if err != nil {
		w.failed(to, r, err)
		return
	}
	records := w.people.all()
	newest := rows[:min(len(rows), 5)]
	w.render(to, r, http.StatusOK, "overview", "Overview", struct {
		Days                Bars
		Screenings, Sources Ranks
		Known, Listed       int
		More, Busy          bool
		From                string
		Sample              int
		Newest              []*trulioo.EndClient
	}{drawDays(rows), screenings(records), sources(records), len(records), len(rows), len(rows) == listed, w.people.isBusy(), w.From, sample, newest})
}

// readMore reads more profiles for the charts, up to their limit.
func (w *Server) readMore(to http.ResponseWriter, r *http.Request) {
	w.reading.Go(func() { w.read(w.ended) })
	http.Redirect(to, r, "/", http.StatusSeeOther)
}

// asked is the form above the list.
type asked struct {
	Q, Status, Workflow, After, Before string
	Page                               int
}

func ask(r *http.Request) asked {
	q := r.URL.Query()
	page, _ := strconv.Atoi(q.Get("page"))
	return asked{strings.TrimSpace(q.Get("q")), q.Get("status"), q.Get("workflow"), q.Get("after"), q.Get("before"), min(max(page, 0), 1_000_000)}
}

func (a asked) options() (*trulioo.ClientListOptions, error) {
	o := &trulioo.ClientListOptions{Limit: pageSize, Page: a.Page, FlowID: a.Workflow}
	if a.Status != "" {
		o.Statuses = []trulioo.Status{trulioo.Status(a.Status)}
	}
	var err error
	for text, at := range map[string]*time.Time{a.After: &o.After, a.Before: &o.Before} {
		if text == "" {
			continue
		}
		if *at, err = dates.Parse(text, time.Now()); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// link is the address of another page with the same filters.
func (a asked) link(page int) string {
	q := url.Values{"page": {strconv.Itoa(page)}}
	for name, value := range map[string]string{"status": a.Status, "workflow": a.Workflow, "after": a.After, "before": a.Before} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return "/clients?" + q.Encode()
}

const pageSize = 25

// clientsView is the list.
type clientsView struct {
	Asked      asked
	Statuses   []trulioo.Status
	Workflows  []*trulioo.Workflow
	Rows       []*trulioo.EndClient
	Found      []exportstore.Record // in place of Rows in a search
	Searched   int
	From       string
	Total      int
	Prev, Next string
	Wrong      string
}

func (w *Server) clients(to http.ResponseWriter, r *http.Request) {
	v := clientsView{Asked: ask(r), Statuses: statuses, From: w.From}
	var err error
	if v.Workflows, err = w.workflows(r.Context()); err != nil {
		w.failed(to, r, err)
		return
	}
	if v.Asked.Q != "" {
		w.search(to, r, v)
		return
	}
	options, err := v.Asked.options()
	if err != nil {
		v.Wrong = err.Error()
		w.render(to, r, http.StatusBadRequest, "clients", "Clients", v)
		return
	}
	page, err := w.Client.Clients.List(r.Context(), options)
	if errors.As(err, new(*trulioo.ArgumentError)) {
		v.Wrong = err.Error()
		w.render(to, r, http.StatusBadRequest, "clients", "Clients", v)
		return
	}
	if err != nil {
		w.failed(to, r, err)
		return
	}
	v.Rows, v.Total = page.Data, page.TotalElements
	if v.Asked.Page > 0 {
		v.Prev = v.Asked.link(v.Asked.Page - 1)
	}
	if len(page.Data) == pageSize && !page.Last {
		v.Next = v.Asked.link(v.Asked.Page + 1)
	}
	w.render(to, r, http.StatusOK, "clients", "Clients", v)
}

// search looks for an id in the account, and for words in the records that the page knows.
func (w *Server) search(to http.ResponseWriter, r *http.Request, v clientsView) {
	if exportstore.Name(v.Asked.Q) == v.Asked.Q && len(v.Asked.Q) == 24 {
		http.Redirect(to, r, "/clients/"+url.PathEscape(v.Asked.Q), http.StatusSeeOther)
		return
	}
	v.Searched = len(w.people.all())
	v.Found = w.people.search(v.Asked.Q)
	v.Total = len(v.Found)
	v.Found = v.Found[:min(len(v.Found), 100)]
	w.render(to, r, http.StatusOK, "clients", "Clients", v)
}

// statuses are the statuses that the form offers.
var statuses = []trulioo.Status{
	trulioo.StatusAccepted, trulioo.StatusRejected, trulioo.StatusPending, trulioo.StatusPendingReview,
	trulioo.StatusAbandoned, trulioo.StatusCompleted, trulioo.StatusFailed,
}

func (w *Server) workflows(ctx context.Context) ([]*trulioo.Workflow, error) {
	var all []*trulioo.Workflow
	for flow, err := range w.Client.Workflows.All(ctx, nil) {
		if err != nil {
			return nil, err
		}
		if all = append(all, flow); len(all) == 200 {
			break
		}
	}
	slices.SortFunc(all, func(a, b *trulioo.Workflow) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}

// client is one person's or business's page.
func (w *Server) client(to http.ResponseWriter, r *http.Request) {
	profile, err := w.profile(r.Context(), r.PathValue("id"))
	if errors.Is(err, trulioo.ErrNotFound) || errors.As(err, new(*trulioo.ArgumentError)) {
		w.problem(to, r, http.StatusNotFound, "The account has no end client with this id.")
		return
	}
	if err != nil {
		w.failed(to, r, err)
		return
	}
	person, err := newPerson(profile, w.shown(r))
	if err != nil {
		http.Error(to, "the page could not be made", http.StatusInternalServerError)
		return
	}
	w.render(to, r, http.StatusOK, "client", "End client", person)
}

// exports shows the exports of this machine.
func (w *Server) exports(to http.ResponseWriter, r *http.Request) {
	found, err := exportruns.List(time.Now())
	if err != nil {
		w.problem(to, r, http.StatusInternalServerError, "The folder of runs cannot be read.")
		return
	}
	w.render(to, r, http.StatusOK, "exports", "Exports", found)
}

// statusOf is the page's status where the API failed.
func statusOf(err error) int {
	if errors.Is(err, context.DeadlineExceeded) {
		return http.StatusGatewayTimeout
	}
	return http.StatusBadGateway
}

func attachment(name string) string {
	return fmt.Sprintf("attachment; filename*=UTF-8''%s", url.PathEscape(name))
}
