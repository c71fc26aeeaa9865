// Package web is the page of "trulioo inspect", which shows an account on loopback, to
// one browser. The data are most private, so the page is served only to a browser that
// has the token printed in the terminal.
package web

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/callback"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/exportstore"
)

//go:embed pages/*.html
var pageFiles embed.FS

//go:embed style.css
var style []byte

//go:embed script.js
var script []byte

//go:embed icon.svg
var icon []byte

// Settings are the settings of the page.
type Settings struct {
	Client    *trulioo.Client
	Account   string               // its name
	Digest    string               // tells its records from another's
	Show      bool                 // values unmasked from the start
	Records   []exportstore.Record // of an export, if there is one
	From      string               // where these are from, for people
	ReadAll   bool                 // read profiles for the charts without being asked: the sandbox costs nothing
	Callbacks *callback.Log        // the received callbacks
	Hook      string               // where callbacks are received; "" if nowhere
	Again     func(context.Context, callback.Delivery) (status int, err error)
}

// Server serves the page.
type Server struct {
	Settings

	gate    *gate
	handler http.Handler
	pages   map[string]*template.Template
	people  *people
	ended   context.Context // of the streams
	end     context.CancelFunc
	reading sync.WaitGroup
}

// New makes a server for a listener on loopback. The first page to open is
// at Server.Address.
func New(listener net.Listener, s Settings) (*Server, error) {
	g, err := newGate(listener.Addr())
	if err != nil {
		return nil, err
	}
	w := &Server{Settings: s, gate: g, people: newPeople(s.Records), pages: map[string]*template.Template{}}
	w.ended, w.end = context.WithCancel(context.Background())
	for _, name := range []string{"overview", "clients", "client", "callbacks", "callback", "exports", "problem"} {
		w.pages[name], err = template.New("layout.html").Funcs(functions).ParseFS(pageFiles, "pages/layout.html", "pages/rows.html", "pages/"+name+".html")
		if err != nil {
			return nil, err
		}
	}
	w.handler = w.routes()
	if s.ReadAll {
		w.reading.Go(func() { w.read(w.ended) })
	}
	return w, nil
}

// Address is the first address to open. It works once.
func (w *Server) Address() string { return w.gate.first() }

// Serve serves until ctx ends.
func (w *Server) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler: w.gate.guard(w.handler), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, MaxHeaderBytes: 32 << 10,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	defer w.reading.Wait()
	defer w.end()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	w.end()
	_ = server.Close()
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return ctx.Err()
}

func (w *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", w.overview)
	mux.HandleFunc("POST /read", w.readMore)
	mux.HandleFunc("GET /clients", w.clients)
	mux.HandleFunc("GET /clients/{id}", w.client)
	mux.HandleFunc("GET /clients/{id}/files/{n}", w.file)
	mux.HandleFunc("GET /clients/{id}/bundle", w.bundle)
	mux.HandleFunc("GET /callbacks", w.callbacks)
	mux.HandleFunc("GET /callbacks/{n}", w.callback)
	mux.HandleFunc("GET /callbacks/{n}/body", w.callbackBody)
	mux.HandleFunc("POST /callbacks/{n}/again", w.again)
	mux.HandleFunc("GET /exports", w.exports)
	mux.HandleFunc("GET /stream", w.stream)
	mux.HandleFunc("GET /style.css", content("text/css; charset=utf-8", style))
	mux.HandleFunc("GET /script.js", content("text/javascript; charset=utf-8", script))
	mux.HandleFunc("GET /icon.svg", content("image/svg+xml", icon))
	mux.HandleFunc("/", func(to http.ResponseWriter, r *http.Request) {
		w.problem(to, r, http.StatusNotFound, "There is no such page.")
	})
	return mux
}

func content(kind string, data []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(data)
	}
}

// view is the data that every page has.
type view struct {
	Page    string // for the navigation
	Title   string
	Account string
	Show    bool
	Hook    string
	Is      any
}

// render writes a page whole or not at all.
func (w *Server) render(to http.ResponseWriter, r *http.Request, status int, page, title string, data any) {
	var b bytes.Buffer
	v := view{Page: page, Title: title, Account: w.Account, Show: w.shown(r), Hook: w.Hook, Is: data}
	if err := w.pages[page].Execute(&b, v); err != nil {
		http.Error(to, "the page could not be made", http.StatusInternalServerError)
		return
	}
	to.Header().Set("Content-Type", "text/html; charset=utf-8")
	to.WriteHeader(status)
	_, _ = to.Write(b.Bytes())
}

// shown reports whether values are to be unmasked.
func (w *Server) shown(r *http.Request) bool { return w.Show || r.URL.Query().Get("show") == "1" }

func (w *Server) problem(to http.ResponseWriter, r *http.Request, status int, text string) {
	w.render(to, r, status, "problem", http.StatusText(status), text)
}

// failed shows an error of the library, which holds nothing personal.
func (w *Server) failed(to http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // nobody waits for it
	}
	w.problem(to, r, statusOf(err), fmt.Sprintf("The request to the API failed: %v.", err))
}
