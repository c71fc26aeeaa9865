package web

import (
	"cmp"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/trulioo-go/trulioo"
)

// Person is a profile as its page shows it.
type Person struct {
	Profile    *trulioo.Profile
	Name       string
	Entered    []Entry
	Screenings []Screening
	Checks     []Check
	Photos     []Photo
	Events     []Event
	Conflicted bool
}

// Entry holds the answers in the fields of one name.
type Entry struct {
	Label  string
	Values []string // more than one where workflows contradict each other
}

// Screening is one watchlist check.
type Screening struct {
	Lists, Outcome, Class, Why string
	At                         trulioo.Time
	Hits                       []Hit
}

// Hit is somebody on a list.
type Hit struct {
	Kind, Name, Agency, Region, Source string
	Score                              float64
}

// Check is one check.
type Check struct {
	Title, Kind, Word, Class string
	At                       trulioo.Time
	Sources                  []Source
	Problem                  string
}

// Source is a data source's result.
type Source struct {
	Name    string
	Matched int
	Fields  []trulioo.DatasourceField
	Errors  []trulioo.ServiceError
}

// Photo is one file.
type Photo struct {
	N     int
	Name  string
	Field string
}

// Event is one line of the timeline.
type Event struct {
	At              trulioo.Time
	Kind, Text, Who string
}

func newPerson(p *trulioo.Profile, show bool) Person {
	hide := func(text string) string { return trulioo.Mask(text) }
	if show {
		hide = func(text string) string { return text }
	}
	person := Person{Profile: p}
	person.Name = hide(nameOf(p))
	person.entered(p, hide)
	person.screened(p, hide)
	for _, service := range p.Services() {
		check := newCheck(service)
		for _, s := range p.Screenings() {
			if screened := s.Service; screened.FlowID == service.FlowID && screened.NodeID == service.NodeID && screened.Timestamp == service.Timestamp {
				// "match" means clear here, and would be read as the opposite.
				check.Word, check.Class = s.Outcome.String(), outcomeClass(s.Outcome)
			}
		}
		person.Checks = append(person.Checks, check)
	}
	for i, ref := range p.Files() {
		person.Photos = append(person.Photos, Photo{i, hide(ref.Name()), ref.Field})
	}
	person.timeline(p, hide)
	return person
}

// nameOf is what somebody is called, or "".
func nameOf(p *trulioo.Profile) string {
	for _, role := range []trulioo.Role{trulioo.RoleFullName, trulioo.RoleCompanyName} {
		if values := p.Values(role); len(values) > 0 {
			return values[0].Value
		}
	}
	first, last := p.Values(trulioo.RoleFirstName), p.Values(trulioo.RoleLastName)
	if len(first) > 0 && len(last) > 0 {
		return first[0].Value + " " + last[0].Value
	}
	return ""
}

func (person *Person) entered(p *trulioo.Profile, hide func(string) string) {
	for _, flowID := range slices.Sorted(maps.Keys(p.FlowData)) {
		fields := p.FlowData[flowID].FieldData
		for _, fieldID := range slices.Sorted(maps.Keys(fields)) {
			field := fields[fieldID]
			for _, value := range field.Value {
				if value = strings.TrimSpace(value); value != "" {
					person.enter(cmp.Or(field.Name, string(field.Role), field.NormalizedName, fieldID), hide(value))
				}
			}
		}
	}
	slices.SortStableFunc(person.Entered, func(a, b Entry) int { return cmp.Compare(rank(a.Label), rank(b.Label)) })
}

// rank puts first what people look for first.
func rank(label string) int {
	order := []string{"name", "birth", "company", "email", "phone", "country", "address", "city", "postal"}
	at := slices.IndexFunc(order, func(word string) bool { return strings.Contains(strings.ToLower(label), word) })
	if at < 0 {
		return len(order)
	}
	return at
}

func (person *Person) enter(label, value string) {
	for i := range person.Entered {
		if person.Entered[i].Label == label {
			if !slices.Contains(person.Entered[i].Values, value) {
				person.Entered[i].Values = append(person.Entered[i].Values, value)
				person.Conflicted = true
			}
			return
		}
	}
	person.Entered = append(person.Entered, Entry{label, []string{value}})
}

func (person *Person) screened(p *trulioo.Profile, hide func(string) string) {
	for _, s := range p.Screenings() {
		screening := Screening{
			Lists: cmp.Or(strings.Join(s.Lists, ", "), s.Service.NodeTitle, "Watchlist check"), Outcome: s.Outcome.String(), Class: outcomeClass(s.Outcome),
			Why: s.Why, At: s.Service.Timestamp,
		}
		for _, hit := range s.Hits {
			screening.Hits = append(screening.Hits, Hit{string(hit.Kind), hide(hit.SubjectMatched), hit.SourceAgencyName, hit.SourceRegion, hit.Datasource, hit.Score})
		}
		person.Screenings = append(person.Screenings, screening)
	}
}

func outcomeClass(o trulioo.ScreeningOutcome) string {
	switch {
	case o == trulioo.ScreeningClear:
		return "good"
	case o.Hit():
		return "bad"
	}
	return "wait"
}

func newCheck(service trulioo.ServiceResult) Check {
	c := Check{Title: cmp.Or(service.NodeTitle, string(service.NodeType), "Check"), Kind: string(service.NodeType), At: service.Timestamp, Word: "no outcome", Class: "rest"}
	if service.Match != nil {
		c.Word, c.Class = "no match", "bad"
		if *service.Match {
			c.Word, c.Class = "match", "good"
		}
	}
	details, err := service.Details()
	if err != nil {
		if !errors.Is(err, trulioo.ErrNoDetails) {
			c.Problem = "The record of this check cannot be read."
		}
		return c
	}
	for _, result := range details.Record.DatasourceResults {
		source := Source{Name: result.DatasourceName, Fields: result.DatasourceFields, Errors: result.Errors}
		for _, field := range result.DatasourceFields {
			if field.Status == trulioo.MatchStatusMatch {
				source.Matched++
			}
		}
		c.Sources = append(c.Sources, source)
	}
	return c
}

func (person *Person) timeline(p *trulioo.Profile, hide func(string) string) {
	add := func(at trulioo.Time, kind, text, who string) {
		if !at.IsZero() {
			person.Events = append(person.Events, Event{at, kind, text, who})
		}
	}
	add(p.Created, "created", "", "")
	for _, service := range p.Services() {
		add(service.Timestamp, "check", cmp.Or(service.NodeTitle, string(service.NodeType)), "")
	}
	for _, note := range p.Notes {
		add(note.Created, "note", hide(note.Text), hide(note.CreatedBy))
	}
	for _, task := range p.Tasks {
		state := "open task"
		if task.Resolved {
			state = "done task"
		}
		add(task.Created, state, hide(task.Text), hide(task.CreatedBy))
	}
	add(p.LastModified, "last change", "", "")
	slices.SortStableFunc(person.Events, func(a, b Event) int { return a.At.Compare(b.At.Time) })
}

// shownInline are the kinds of files that a browser may show.
var shownInline = []string{"image/jpeg", "image/png", "image/gif", "image/webp"}

// maxFile bounds what is passed on to the browser.
const maxFile = 100 << 20

// file passes one file on: a picture to be looked at, everything else to be saved.
// Its kind is read from its bytes, since the server's word is not to be trusted.
func (w *Server) file(to http.ResponseWriter, r *http.Request) {
	profile, err := w.profile(r.Context(), r.PathValue("id"))
	if err != nil {
		w.failed(to, r, err)
		return
	}
	refs := profile.Files()
	n, err := strconv.Atoi(r.PathValue("n"))
	if err != nil || n < 0 || n >= len(refs) {
		w.problem(to, r, http.StatusNotFound, "There is no such file.")
		return
	}
	file, err := w.Client.Files.Download(r.Context(), refs[n].Key)
	if err != nil {
		w.failed(to, r, err)
		return
	}
	defer file.Body.Close() //nolint:errcheck // it was only read
	first := make([]byte, 512)
	k, err := io.ReadFull(file.Body, first)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		w.failed(to, r, err)
		return
	}
	kind := http.DetectContentType(first[:k])
	if !slices.Contains(shownInline, kind) || r.URL.Query().Get("save") != "" {
		to.Header().Set("Content-Disposition", attachment(refs[n].Name()))
	}
	to.Header().Set("Content-Type", kind)
	to.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	_, _ = to.Write(first[:k])
	if _, err := io.CopyN(to, file.Body, maxFile); err != nil && !errors.Is(err, io.EOF) {
		panic(http.ErrAbortHandler) // a file that is cut off must not look whole
	}
}
