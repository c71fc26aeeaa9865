package bundle

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/base64"
	"errors"
	"html/template"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/trulioo-go/trulioo"
)

//go:embed page.html sections.html
var pageFiles embed.FS

var pageTemplate = template.Must(template.New("page.html").Funcs(template.FuncMap{"when": when}).ParseFS(pageFiles, "page.html", "sections.html"))

// View is how Sections shows a profile.
type View struct {
	// Mask hides what people wrote and whom lists name, as trulioo.Mask does. Articles,
	// addresses and messages of data sources are then left out. nil shows everything.
	Mask func(value string) string
	// File gives the address of a photo or document, and that of the image to show in
	// its place, "" for none. It must not be nil where the profile has files.
	File func(ref trulioo.FileRef) (link, image string)
}

// Sections writes the parts of a bundle's page, from what was entered to the timeline,
// as HTML for a page of your own. It has no styles, no scripts and nothing from
// outside, so it can stand under a strict Content-Security-Policy. Your style sheet
// gives the classes a look: part, card, word, good, bad, doubt, soft, mono, photos,
// veil.
func Sections(w io.Writer, profile *trulioo.Profile, view View) error {
	if profile == nil {
		return &trulioo.ArgumentError{Argument: "profile", Reason: "must not be nil"}
	}
	p := newPage(profile)
	p.mask = view.Mask
	for _, ref := range profile.Files() {
		if view.File == nil {
			return &trulioo.ArgumentError{Argument: "View.File", Reason: "must not be nil"}
		}
		link, image := view.File(ref)
		p.Photos = append(p.Photos, shownPhoto{Link: link, Image: image, Name: ref.Name(), Label: labelOf(profile, ref.FlowID, ref.Field)})
	}
	var page bytes.Buffer
	if err := pageTemplate.ExecuteTemplate(&page, "sections", p); err != nil {
		return errors.New("bundle: the page could not be made") // the template's error can hold values
	}
	_, err := w.Write(page.Bytes())
	return err
}

func when(t trulioo.Time) string {
	if t.IsZero() {
		return "no date"
	}
	return t.UTC().Format("2 January 2006, 15:04:05 UTC")
}

// photo is a file of the profile on the page.
type photo struct {
	Entry

	Image template.URL // "" for a file that a browser cannot show in a page
}

// imageBytes is how large a photo can be to be shown on the page itself.
const imageBytes = 8 << 20

// head keeps a file's bytes as long as they are few.
type head struct{ bytes []byte }

// Write never fails.
func (h *head) Write(p []byte) (int, error) {
	if room := imageBytes + 1 - len(h.bytes); room > 0 {
		h.bytes = append(h.bytes, p[:min(len(p), room)]...)
	}
	return len(p), nil
}

// image is the file as a data: address, if its bytes are those of a photo. The
// server's name for it does not count, and a drawing with scripts is not a photo.
func (h *head) image() template.URL {
	kind := http.DetectContentType(h.bytes)
	if len(h.bytes) > imageBytes || !slices.Contains([]string{"image/jpeg", "image/png", "image/gif", "image/webp"}, kind) {
		return ""
	}
	return template.URL("data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(h.bytes)) //nolint:gosec // a known kind and base64
}

// page is the data of the template.
type page struct {
	Profile    *trulioo.Profile
	Made       trulioo.Time
	Outcome    trulioo.ScreeningOutcome
	Entered    []entered
	Screenings []trulioo.Screening
	Checks     []check
	Photos     []shownPhoto
	Missing    []Missing
	Timeline   []trulioo.Moment

	mask func(string) string
}

// Own masks a text that a person wrote, or that is about a person.
func (p page) Own(value string) string {
	if p.mask == nil {
		return value
	}
	return p.mask(value)
}

// Masked reports whether personal values are hidden.
func (p page) Masked() bool { return p.mask != nil }

// entered is one question with its answers, over all flows.
type entered struct {
	Label    string
	Answers  []trulioo.Answer // one where all agree
	Conflict bool
}

// check is a check and its record, where there is one.
type check struct {
	trulioo.ServiceResult

	Result  string
	Details *trulioo.ServiceDetails
	Errors  []trulioo.DatasourceError
}

// shownPhoto is a file as the page shows it.
type shownPhoto struct {
	Link, Name, Label string
	Image             any    // the address of the image: a template.URL, or a string that the template checks; empty for none
	Size              int64  // with SHA256
	SHA256            string // "" where the file was not read
}

func newPage(profile *trulioo.Profile) page {
	return page{
		Profile: profile, Outcome: profile.ScreeningOutcome(),
		Entered: answers(profile), Screenings: profile.Screenings(), Checks: checks(profile), Timeline: profile.Timeline(),
	}
}

// bundlePage is the page with the files of a bundle.
func bundlePage(b *builder) page {
	p := newPage(b.profile)
	p.Made, p.Missing = trulioo.Time{Time: b.manifest.Made.Truncate(time.Second)}, b.manifest.Missing
	for _, photo := range b.photos {
		p.Photos = append(p.Photos, shownPhoto{
			Link: photo.Name, Name: photo.Name, Label: labelOf(b.profile, photo.FlowID, photo.FieldID), Image: photo.Image, Size: photo.Size, SHA256: photo.SHA256,
		})
	}
	return p
}

func labelOf(p *trulioo.Profile, flowID, fieldID string) string {
	return label(p.FlowData[flowID].FieldData[fieldID])
}

// label is a field's name in the form.
func label(f trulioo.Field) string {
	return cmp.Or(strings.TrimSpace(f.Name), f.NormalizedName, string(f.Role))
}

// answers groups the fields by the question that they ask: by role, else by the
// vendor's name, else by the label.
func answers(p *trulioo.Profile) []entered {
	grouped := map[string]*entered{}
	var order []string
	for _, flowID := range slices.Sorted(maps.Keys(p.FlowData)) {
		fields := p.FlowData[flowID].FieldData
		for _, fieldID := range slices.Sorted(maps.Keys(fields)) {
			field := fields[fieldID]
			name := cmp.Or(question(field), fieldID)
			for _, value := range field.Value {
				if strings.TrimSpace(value) == "" {
					continue
				}
				if grouped[name] == nil {
					grouped[name] = &entered{Label: cmp.Or(label(field), fieldID)}
					order = append(order, name)
				}
				grouped[name].add(trulioo.Answer{FlowID: flowID, Field: field, Value: strings.TrimSpace(value)})
			}
		}
	}
	all := make([]entered, 0, len(order))
	for _, name := range order {
		all = append(all, *grouped[name])
	}
	return all
}

// question names the question that a field asks. A city and a postal code have a role
// in two spellings.
func question(f trulioo.Field) string {
	switch f.Role {
	case trulioo.RoleAddressCity:
		return string(trulioo.RoleCity)
	case trulioo.RoleAddressZIP:
		return string(trulioo.RolePostalCode)
	}
	return cmp.Or(string(f.Role), f.NormalizedName, f.Name)
}

func (e *entered) add(answer trulioo.Answer) {
	if slices.ContainsFunc(e.Answers, func(a trulioo.Answer) bool { return a.Value == answer.Value }) {
		return
	}
	e.Answers = append(e.Answers, answer)
	e.Conflict = len(e.Answers) > 1
}

// checks gives the outcome of each check. It leaves out the match of a watchlist
// check, which means the opposite of what a reader expects.
func checks(p *trulioo.Profile) []check {
	var all []check
	for _, one := range p.Checks() {
		c := check{ServiceResult: one.Service, Result: result(one.Service)}
		if one.Screening != nil {
			c.Result = "watchlists: " + one.Screening.Outcome.String()
		}
		if details, err := one.Service.Details(); err == nil {
			c.Details, c.Errors = details, details.DatasourceErrors()
		}
		all = append(all, c)
	}
	return all
}

func result(s trulioo.ServiceResult) string {
	switch {
	case s.Match == nil:
		return "no outcome"
	case *s.Match:
		return "match"
	}
	return "no match"
}
