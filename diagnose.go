package trulioo

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Diagnosis is the report of Client.Diagnose about an account. It holds nothing
// personal and no secret: no id, no token, no value of a profile, no count of
// clients. It can be shared, such as in a bug report.
type Diagnosis struct {
	Host        string      `json:"host"`        // of the base URL, with its port where it names one
	Environment Environment `json:"environment"` // the half of the account that was asked
	APIVersion  APIVersion  `json:"apiVersion"`  // the version that was asked
	Requests    int         `json:"requests"`    // sent in all, those for tokens included
	Findings    []Finding   `json:"findings"`    // one for each guess, in the order in which they were asked

	// Dialect is the client's own, with each field that the account contradicts
	// set to what the account understands.
	Dialect Dialect `json:"dialect"`
}

// Finding is an account's answer about one guess.
type Finding struct {
	Topic   string  `json:"topic"`             // a constant word or two, such as "time unit"
	Guess   string  `json:"guess"`             // a constant sentence that is true or not
	Verdict Verdict `json:"verdict"`           // whether it is true of this account
	Detail  string  `json:"detail,omitempty"`  // the evidence, or why the verdict is unknown
	Setting string  `json:"setting,omitempty"` // the option in Go that makes the client fit, where there is one
	Env     string  `json:"env,omitempty"`     // the same as an environment variable
}

// Verdict says whether a guess holds.
type Verdict string

// The verdicts. A zero Verdict means the same as VerdictUnknown.
const (
	VerdictHolds   Verdict = "holds"             // the account behaves as guessed
	VerdictDiffers Verdict = "does not"          // the account behaves otherwise
	VerdictUnknown Verdict = "could not be told" // Finding.Detail says why
)

// Diagnose asks the account which of the library's guesses hold for it: whether
// the credentials and the scope are accepted, which environments and versions
// answer, how lists are paged and filtered, how files are served, which members
// and values the models do not know, what a 404 looks like and how far the two
// clocks are apart. It sends a few dozen small requests one after another, all of
// them reads, and asks for at most five profiles.
//
// The error is that of ctx, or an *ArgumentError for a nil one. Anything else
// that goes wrong is a Finding. Other hosts than the client's own are asked only
// where the base URL is one of the vendor's two.
func (c *Client) Diagnose(ctx context.Context) (*Diagnosis, error) {
	if err := checkContext(ctx); err != nil {
		return nil, err
	}
	seen := &witness{base: c.family.base}
	f := *c.family
	f.base = seen
	d := &doctor{client: build(c.config, &f), seen: seen}
	d.report = &Diagnosis{Environment: c.config.environment, APIVersion: c.config.version, Dialect: c.config.dialect}
	if base, err := url.Parse(c.config.baseURL); err == nil {
		d.report.Host = base.Host
	}
	for _, ask := range questions {
		more := ask(d, ctx)
		if ctx.Err() != nil {
			return nil, c.config.asked(OperationDiagnose).transportError(ctx.Err(), 0)
		}
		if !more {
			break
		}
	}
	d.report.Requests = seen.count()
	return d.report, nil
}

// String is the report as lines of text. Below a guess that does not hold stand the
// line of Go and the variable that set it right.
func (d *Diagnosis) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s, %s: %d requests\n", d.Host, d.Environment, d.APIVersion, d.Requests)
	for _, f := range d.Findings {
		mark := map[Verdict]string{VerdictHolds: "+", VerdictDiffers: "!"}[f.Verdict]
		if mark == "" {
			mark = "?"
		}
		fmt.Fprintf(&b, "%s %-16s %s: %s", mark, f.Topic, f.Guess, f.Verdict)
		if f.Detail != "" {
			fmt.Fprintf(&b, " (%s)", f.Detail)
		}
		b.WriteByte('\n')
		if f.Setting != "" {
			fmt.Fprintf(&b, "%19s%s\n", "", f.Setting)
		}
		if f.Env != "" {
			fmt.Fprintf(&b, "%19s%s\n", "", f.Env)
		}
	}
	return b.String()
}

// doctor asks the questions and writes the report.
type doctor struct {
	client *Client // asks through seen
	seen   *witness
	report *Diagnosis

	rows     []*EndClient // of the first pages, newest answers last
	raw      [][]byte     // the pages themselves
	total    int          // of the first page
	bounded  bool         // the bounds of time filter
	profiles []*Profile
}

// find adds a finding.
func (d *doctor) find(topic, guess string, verdict Verdict, detail string) *Finding {
	d.report.Findings = append(d.report.Findings, Finding{Topic: topic, Guess: guess, Verdict: verdict, Detail: detail})
	return &d.report.Findings[len(d.report.Findings)-1]
}

// tell adds a finding that holds or does not.
func (d *doctor) tell(topic, guess string, holds bool, detail string) *Finding {
	verdict := VerdictDiffers
	if holds {
		verdict = VerdictHolds
	}
	return d.find(topic, guess, verdict, detail)
}

// unknown adds a finding about a guess that the account neither confirms nor refutes.
// why may be an error, since this library's errors print nothing personal.
func (d *doctor) unknown(topic, guess string, why any) {
	detail := fmt.Sprint(why)
	d.find(topic, guess, VerdictUnknown, strings.TrimPrefix(detail, "trulioo: "))
}

// list asks for a page of the clients with any query.
func (d *doctor) list(ctx context.Context, query url.Values) (*Page[EndClient], error) {
	return listPage(ctx, d.client, routes.clients, query, endClientOf)
}

// count asks how many clients a query has.
func (d *doctor) count(ctx context.Context, query url.Values) (int, error) {
	query.Set("limit", "1")
	page, err := d.list(ctx, query)
	if err != nil {
		return 0, err
	}
	return page.TotalElements, nil
}

// witness is a transport that counts requests and remembers the answers.
type witness struct {
	base http.RoundTripper

	mu      sync.Mutex
	began   int
	answers []answered
}

// answered is an answer that a witness saw, without its body.
type answered struct {
	host   string
	status int
	header http.Header
	skew   time.Duration // the server's clock less ours; meaningful where dated
	dated  bool
}

// RoundTrip implements http.RoundTripper.
func (w *witness) RoundTrip(req *http.Request) (*http.Response, error) {
	w.mu.Lock()
	w.began++
	w.mu.Unlock()
	sent := time.Now()
	resp, err := w.base.RoundTrip(req)
	if err != nil || resp == nil {
		return resp, err
	}
	a := answered{host: req.URL.Host, status: resp.StatusCode, header: resp.Header}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil && resp.Header.Get("Age") == "" {
		middle := sent.Add(time.Since(sent) / 2)
		a.skew, a.dated = date.Sub(middle.Truncate(time.Second)), true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers = append(w.answers, a)
	return resp, nil
}

// CloseIdleConnections reaches the base transport, which the client shares.
func (w *witness) CloseIdleConnections() {
	(&http.Client{Transport: w.base}).CloseIdleConnections()
}

func (w *witness) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.began
}

// since gives the answers from the n-th on.
func (w *witness) since(n int) []answered {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]answered(nil), w.answers[min(n, len(w.answers)):]...)
}
