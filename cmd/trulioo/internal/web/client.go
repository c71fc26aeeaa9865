package web

import (
	"errors"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/bundle"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/exportstore"
)

// Person is a profile as its page shows it.
type Person struct {
	Profile  *trulioo.Profile
	Name     string
	Sections template.HTML // the sections of a bundle's page, with the files as they are now
}

func newPerson(p *trulioo.Profile, show bool) (Person, error) {
	view := bundle.View{Mask: trulioo.Mask}
	if show {
		view.Mask = nil
	}
	n := -1
	view.File = func(trulioo.FileRef) (link, image string) {
		n++
		link = "/clients/" + url.PathEscape(p.ID) + "/files/" + strconv.Itoa(n)
		if !show {
			return link, ""
		}
		return link, link
	}
	var sections strings.Builder
	if err := bundle.Sections(&sections, p, view); err != nil {
		return Person{}, err
	}
	name := nameOf(p)
	if !show {
		name = trulioo.Mask(name)
	}
	return Person{p, name, template.HTML(sections.String())}, nil //nolint:gosec // a template of html/template has written it
}

// nameOf is somebody's name, or "".
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

// shownInline are the kinds of files that a browser may show.
var shownInline = []string{"image/jpeg", "image/png", "image/gif", "image/webp"}

// maxFile bounds the bytes of a file that are passed on to the browser.
const maxFile = 100 << 20

// file passes one file on: a picture is shown, everything else is saved. The kind is read
// from the file's bytes, since the server's word cannot be trusted.
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

// bundle passes on everything about a person as a zip. The answer begins with the zip's
// first byte, so an error before it is still a page.
func (w *Server) bundle(to http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	archive := &announced{ResponseWriter: to, name: exportstore.Name(id) + ".zip"}
	err := bundle.Write(r.Context(), w.Client, id, archive)
	switch {
	case err == nil || archive.begun && errors.As(err, new(*trulioo.FileError)): // the zip says which file is missing
	case archive.begun:
		panic(http.ErrAbortHandler) // a zip that is cut off must not look whole
	case errors.Is(err, trulioo.ErrNotFound) || errors.As(err, new(*trulioo.ArgumentError)):
		w.problem(to, r, http.StatusNotFound, "The account has no end client with this id.")
	default:
		w.failed(to, r, err)
	}
}

// announced sets the headers before the first byte of a zip.
type announced struct {
	http.ResponseWriter
	name  string
	begun bool
}

// Write sets the header once.
func (a *announced) Write(p []byte) (int, error) {
	if !a.begun {
		a.begun = true
		a.Header().Set("Content-Type", "application/zip")
		a.Header().Set("Content-Disposition", attachment(a.name))
	}
	return a.ResponseWriter.Write(p)
}
