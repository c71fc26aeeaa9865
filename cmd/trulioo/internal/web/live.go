package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/callback"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/exportruns"
)

// received is a delivery as a row shows it.
type received struct {
	N                      int
	At                     time.Time
	Type, Client, Workflow string
	Test                   bool
	Retry                  int
	Word, Class            string
	Forward                string
	Took                   string
	Verified               bool
}

func rowOf(d callback.Delivery) received {
	row := received{N: d.N, At: d.At, Word: d.Result, Class: "good", Took: d.Took.Round(10 * time.Microsecond).String(), Verified: d.Verified()}
	if d.Event != nil {
		row.Type, row.Client, row.Workflow, row.Test, row.Retry = string(d.Event.Type), d.Event.ClientID, d.Event.FlowID, d.Event.Test, d.Event.Retry
	}
	switch {
	case d.Status == http.StatusUnauthorized:
		row.Word, row.Class = "not verified", "bad"
	case d.Status != http.StatusOK:
		row.Class = "bad"
	case d.Result == "duplicate":
		row.Class = "rest"
	}
	if row.Word == "" {
		row.Word = "status " + strconv.Itoa(d.Status)
	}
	if f := d.Forward; f != nil {
		row.Forward = strconv.Itoa(f.Status)
		if f.Err != nil {
			row.Forward = f.Err.Error()
		}
	}
	return row
}

func (w *Server) callbacks(to http.ResponseWriter, r *http.Request) {
	rows := []received{}
	for _, d := range w.Callbacks.Last() {
		rows = append(rows, rowOf(d))
	}
	w.render(to, r, http.StatusOK, "callbacks", "Callbacks", rows)
}

// found gives the delivery that the address names, or answers with a 404.
func (w *Server) found(to http.ResponseWriter, r *http.Request) (callback.Delivery, bool) {
	n, _ := strconv.Atoi(r.PathValue("n"))
	d, ok := w.Callbacks.Find(n)
	if !ok {
		w.problem(to, r, http.StatusNotFound, "This callback no longer exists.")
	}
	return d, ok
}

// callback is one delivery: its body is masked until it is asked for.
func (w *Server) callback(to http.ResponseWriter, r *http.Request) {
	d, ok := w.found(to, r)
	if !ok {
		return
	}
	v := struct {
		received
		Headers [][2]string
		Body    string
		Curl    string
		CanSend bool
		Sent    string
		Size    int
	}{received: rowOf(d), CanSend: w.Again != nil && d.Verified(), Sent: r.URL.Query().Get("sent"), Size: len(d.Body)}
	for _, name := range []string{"Content-Type", "User-Agent", "X-Trulioo-Signature"} {
		if value := d.Header.Get(name); value != "" {
			v.Headers = append(v.Headers, [2]string{name, value})
		}
	}
	if w.shown(r) {
		v.Body = indent(callback.WithoutToken(d.Event, d.Body))
	}
	v.Curl = w.curl(d)
	w.render(to, r, http.StatusOK, "callback", fmt.Sprintf("Callback %d", d.N), v)
}

// curl sends the body of a file: in the command itself it would be personal data
// in an argument.
func (w *Server) curl(d callback.Delivery) string {
	lines := []string{"curl -sS -X POST " + w.Hook}
	for _, name := range []string{"Content-Type", "X-Trulioo-Signature"} {
		if value := d.Header.Get(name); value != "" {
			lines = append(lines, "-H '"+name+": "+strings.ReplaceAll(value, "'", "")+"'")
		}
	}
	lines = append(lines, "--data-binary @"+bodyName(d))
	return strings.Join(lines, " \\\n  ")
}

func bodyName(d callback.Delivery) string { return fmt.Sprintf("callback-%d.json", d.N) }

// callbackBody gives the body as it came, to be saved; the curl command sends that file.
func (w *Server) callbackBody(to http.ResponseWriter, r *http.Request) {
	d, ok := w.found(to, r)
	if !ok {
		return
	}
	to.Header().Set("Content-Type", "application/octet-stream")
	to.Header().Set("Content-Disposition", attachment(bodyName(d)))
	_, _ = to.Write(d.Body)
}

// again sends a delivery again.
func (w *Server) again(to http.ResponseWriter, r *http.Request) {
	d, ok := w.found(to, r)
	if !ok {
		return
	}
	if w.Again == nil || !d.Verified() {
		w.problem(to, r, http.StatusConflict, "This callback cannot be sent again.")
		return
	}
	status, err := w.Again(r.Context(), d)
	said := strconv.Itoa(status)
	if err != nil {
		said = "failed"
	}
	http.Redirect(to, r, fmt.Sprintf("/callbacks/%d?sent=%s", d.N, said), http.StatusSeeOther)
}

func indent(body []byte) string {
	var b bytes.Buffer
	if json.Indent(&b, body, "", "  ") != nil {
		return string(body)
	}
	return b.String()
}

// stream sends new deliveries and the runs to the page, as server-sent events with rows of HTML.
func (w *Server) stream(to http.ResponseWriter, r *http.Request) {
	deliveries, stop := w.Callbacks.Watch()
	defer stop()
	to.Header().Set("Content-Type", "text/event-stream")
	flush := http.NewResponseController(to)
	_ = flush.SetReadDeadline(time.Time{})
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	last := ""
	fmt.Fprint(to, "retry: 2000\n\n")
	for {
		if flush.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-w.ended.Done():
			return
		case d := <-deliveries:
			send(to, "callback", w.fragment("callback-row", rowOf(d)))
		case <-tick.C:
			found, _ := exportruns.List(time.Now())
			if html := w.fragment("runs", found); html != last {
				last = html
				send(to, "runs", html)
			}
		}
	}
}

// send writes one event; each line of its data has a name of its own.
func send(to http.ResponseWriter, event, data string) {
	fmt.Fprintf(to, "event: %s\n", event)
	for line := range strings.SplitSeq(data, "\n") {
		fmt.Fprintf(to, "data: %s\n", strings.TrimRight(line, "\r"))
	}
	fmt.Fprint(to, "\n")
}

// fragment is a part of a page.
func (w *Server) fragment(name string, data any) string {
	var b strings.Builder
	if w.pages["callbacks"].ExecuteTemplate(&b, name, data) != nil {
		return ""
	}
	return b.String()
}

// functions are the functions of the templates.
var functions = template.FuncMap{
	"minute": func(t time.Time) string {
		if t.IsZero() {
			return "–"
		}
		return t.UTC().Format("2006-01-02 15:04")
	},
	"second": func(t time.Time) string { return t.UTC().Format("15:04:05") },
	"stamp":  func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"class": func(status any) string {
		return kinds[kindOf(statusText(status))].Class
	},
	"words":   func(text string) string { return strings.ToLower(strings.ReplaceAll(text, "_", " ")) },
	"add":     func(a, b int) int { return a + b },
	"percent": func(a, b int) int { return a * 100 / max(b, 1) },
	"left": func(r exportruns.Run) string {
		if r.Rate <= 0 || r.State != "running" {
			return ""
		}
		rest := time.Duration(float64(max(0, r.Total-r.Done-r.Failed-r.Skipped)) / r.Rate * float64(time.Second))
		return rest.Round(time.Second).String() + " left"
	},
}
