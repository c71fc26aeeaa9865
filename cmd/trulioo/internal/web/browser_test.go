package web_test

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/bundle"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/exportruns"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/web"
	"github.com/trulioo-go/trulioo/truliootest"
)

// tab is a page of a real browser.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu         sync.Mutex
	complaints []string // of the browser: what it refused, and errors of scripts
}

// browser starts Chromium. The test is skipped where it is not installed, but not in CI.
func browser(t *testing.T) *tab {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			program = found
			break
		}
	}
	if program == "" {
		require.NotEqual(t, "true", os.Getenv("CI"), "there is no chromium, which .ci/run installs")
		t.Skip("there is no chromium on this machine; apt-get install chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox,
		chromedp.Flag("user-data-dir", t.TempDir()), chromedp.Flag("window-size", "1180,900"), chromedp.Flag("disable-dev-shm-usage", true))
	allocator, stop := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	t.Cleanup(stop)
	ctx, end := chromedp.NewContext(allocator)
	t.Cleanup(end)
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	t.Cleanup(cancel)
	b := &tab{t: t, ctx: ctx}
	require.NoError(t, chromedp.Listen(ctx, b.hear))
	b.do(chromedp.EmulateViewport(1180, 900))
	return b
}

func (b *tab) hear(event any) {
	said := ""
	switch event := event.(type) {
	case *log.EventEntryAdded:
		said = event.Entry.Text
	case *runtime.EventExceptionThrown:
		said = event.ExceptionDetails.Text
	case *network.EventRequestWillBeSent:
		if !slices.ContainsFunc([]string{"http://127.0.0.1:", "data:", "file://"}, func(near string) bool { return strings.HasPrefix(event.Request.URL, near) }) {
			said = "a request to the outside"
		}
	}
	if said != "" {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.complaints = append(b.complaints, said)
	}
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 40*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		where, _ := chromedp.Run(b.ctx, chromedp.Location())
		require.NoError(b.t, err, where+"\n"+b.text())
	}
}

// ask evaluates an expression.
func ask[T any](b *tab, expression string) T {
	b.t.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	require.NoError(b.t, err)
	return value
}

// text is what a person can read.
func (b *tab) text() string {
	b.t.Helper()
	return ask[string](b, "document.body.innerText")
}

// until waits for an expression to hold.
func (b *tab) until(expression string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		holds, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](expression))
		return err == nil && holds
	}, time.Minute, 50*time.Millisecond, expression)
}

// picture waits for no frame that a busy machine never draws: it asks again.
func (b *tab) picture() (picture []byte) {
	b.t.Helper()
	var err error
	for range 5 {
		ctx, cancel := context.WithTimeout(b.ctx, 15*time.Second)
		picture, err = chromedp.Run(ctx, chromedp.FullScreenshot(100))
		cancel()
		if err == nil {
			break
		}
	}
	require.NoError(b.t, err)
	return picture
}

// accessible holds the page to what testdata/accessible.js asks of it.
func (b *tab) accessible(name string) {
	b.t.Helper()
	rules, err := os.ReadFile(filepath.Join("testdata", "accessible.js"))
	require.NoError(b.t, err)
	assert.Empty(b.t, ask[[]string](b, string(rules)), name)
}

// byKeyboard goes through the page with the Tab key: everything that can be used is
// reached in its order, and is seen to be.
func (b *tab) byKeyboard(name string) {
	b.t.Helper()
	const usable = `[...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")].filter(e => e.checkVisibility())`
	const shown = `(e => e.matches(":focus-visible") && getComputedStyle(e).outlineStyle !== "none" && parseFloat(getComputedStyle(e).outlineWidth) >= 2)(document.activeElement)`
	b.do(chromedp.Reload())
	want := ask[int](b, usable+`.length`)
	require.Positive(b.t, want)
	for n := range want {
		b.do(chromedp.KeyEvent(kb.Tab))
		require.Equal(b.t, n, ask[int](b, usable+`.indexOf(document.activeElement)`), "%s: the Tab key goes through the page in its order", name)
		require.True(b.t, ask[bool](b, shown), "%s: what has the focus shows it: %s", name, ask[string](b, `document.activeElement.outerHTML`))
	}
	b.do(chromedp.Reload())
}

// shot takes a picture of the whole page in light, in dark and on a telephone, into
// the folder of SCREENSHOTS if that is set. Nothing may stand beyond the edge.
func (b *tab) shot(name string) {
	b.t.Helper()
	for _, look := range []string{"light", "dark", "narrow"} {
		scheme, width := look, int64(1180)
		if look == "narrow" {
			scheme, width = "light", 390
		}
		b.do(chromedp.EmulateViewport(width, 900))
		b.until(`document.documentElement.scrollWidth <= window.innerWidth`)
		_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		require.NoError(b.t, err)
		b.accessible(name + " " + look)
		b.until(`document.getAnimations().length === 0`)
		picture := b.picture()
		require.NotEmpty(b.t, picture)
		if dir := os.Getenv("SCREENSHOTS"); dir != "" {
			require.NoError(b.t, os.WriteFile(filepath.Join(dir, name+"-"+look+".png"), picture, 0o600)) //nolint:gosec // where whoever runs the test says
		}
	}
	b.do(chromedp.EmulateViewport(1180, 900))
}

// readmePicture takes the README's picture; CONTRIBUTING.md says how it gets there.
func (b *tab) readmePicture() {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(980, 768))
	b.until(`(scrollTo(0, 0), window.innerWidth === 980 && window.scrollY === 0)`)
	picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	require.NoError(b.t, err)
	if dir := os.Getenv("SCREENSHOTS"); dir != "" {
		require.NoError(b.t, os.WriteFile(filepath.Join(dir, "readme-inspect.png"), picture, 0o600)) //nolint:gosec // where whoever runs the test says
	}
	b.do(chromedp.EmulateViewport(1180, 900))
}

// A bundle's page is read from the disk, and printed.
//
//nolint:paralleltest // open sets a variable
func TestABundleInABrowser(t *testing.T) {
	p := open(t)
	id := ""
	for _, one := range p.box.Live.IDs() {
		profile, err := p.client.Clients.Get(t.Context(), one, &trulioo.GetOptions{FullServiceDetails: true})
		require.NoError(t, err)
		if hits, err := profile.WatchlistHits(); err == nil && len(hits) > 0 && len(profile.Files()) > 0 && len(profile.Notes) > 0 {
			id = one
			break
		}
	}
	require.NotEmpty(t, id, "somebody has everything")
	dir := t.TempDir()
	require.NoError(t, bundle.Save(t.Context(), p.client, id, dir))
	b := browser(t)
	b.do(chromedp.Navigate("file://"+filepath.ToSlash(filepath.Join(dir, bundle.PageName))), chromedp.WaitVisible("#timeline"))
	b.until(`[...document.images].every(i => i.naturalWidth > 100)`)
	b.shot("bundle")
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
	require.NoError(t, err)
	b.do(chromedp.EmulateViewport(700, 990)) // A4 within its margins
	b.until(`getComputedStyle(document.body).maxWidth === "none"`)
	printed := b.picture()
	if dir := os.Getenv("SCREENSHOTS"); dir != "" {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "bundle-print.png"), printed, 0o600)) //nolint:gosec // where whoever runs the test says
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	assert.Empty(t, b.complaints)
}

// Without script everything can be read and done, except updates that come by themselves.
//
//nolint:paralleltest // open sets a variable
func TestWithoutScript(t *testing.T) {
	p := open(t)
	id, name := p.someone(t)
	b := browser(t)
	_, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	require.NoError(t, err)
	b.do(chromedp.Navigate(p.first), chromedp.WaitVisible("#by-day"))
	b.do(chromedp.Click("summary"), chromedp.WaitVisible("details caption"))
	b.do(chromedp.Click(`nav a[href="/clients"]`), chromedp.WaitVisible("#q"))
	b.do(chromedp.SetValue("#status", "REJECTED"), chromedp.Click(".filters button"))
	b.until(`document.readyState === "complete" && location.search.includes("status=REJECTED") && document.querySelectorAll(".tag").length === document.querySelectorAll(".tag.bad").length`)
	b.do(chromedp.SendKeys("#q", id), chromedp.Click(".filters button"), chromedp.WaitVisible("#entered"))
	b.do(chromedp.Click(`.head a[href="?show=1"]`), chromedp.WaitVisible(".photos img"))
	assert.Contains(t, b.text(), name)
	event := truliootest.NewEvent(trulioo.EventStepSubmit, truliootest.EventSpec{ClientID: id})
	require.NoError(t, p.box.SendEvent(t.Context(), p.receiver.URL, event))
	b.do(chromedp.Click(`nav a[href="/callbacks"]`), chromedp.WaitVisible(`#callbacks a[href="/callbacks/1"]`))
	b.do(chromedp.Click(`#callbacks a[href="/callbacks/1"]`), chromedp.WaitVisible("#command"))
	assert.NotContains(t, b.text(), "Copy the command", "a button that needs script is not shown")
	b.do(chromedp.Click(`main section form button`), chromedp.WaitVisible(".said"))
	assert.Contains(t, b.text(), "Sent again: 200.")
	exportruns.Begin(exportruns.Run{Command: "export", Account: "sandbox", Place: "SQLite"}).End(nil)
	b.do(chromedp.Click(`nav a[href="/exports"]`), chromedp.WaitVisible("#runs progress"))
	assert.NotContains(t, b.text(), "Live.", "no script has run")
	b.mu.Lock()
	defer b.mu.Unlock()
	assert.Empty(t, b.complaints)
}

//nolint:paralleltest // open sets a variable
func TestInABrowser(t *testing.T) {
	p := open(t, func(s *web.Settings) { s.ReadAll = true })
	id, name := p.someone(t)
	b := browser(t)
	b.do(chromedp.Navigate(p.first), chromedp.WaitVisible("#by-day"))
	require.Eventually(t, func() bool {
		b.do(chromedp.Reload(), chromedp.WaitVisible("#by-day"))
		return strings.Contains(b.text(), "count 240 profiles")
	}, time.Minute, 200*time.Millisecond)
	assert.Contains(t, b.text(), "Checks that failed, by data source")
	b.do(chromedp.KeyEvent(kb.Tab))
	b.until(`document.activeElement.className === "skip"`) // a keyboard gets to the content at once
	b.do(chromedp.KeyEvent(kb.Enter))
	b.until(`location.hash === "#main"`)
	b.until(`(at => document.elementFromPoint(at.x + 1, at.y + 1).tagName)(document.querySelector("h1").getBoundingClientRect()) === "H1"`) // nothing covers it
	b.do(chromedp.Navigate(p.origin+"/"), chromedp.WaitVisible("#by-day"))
	b.byKeyboard("overview")
	b.shot("overview")
	b.readmePicture()

	b.do(chromedp.Click(`nav a[href="/clients"]`), chromedp.WaitVisible("#q"))
	b.do(chromedp.SetValue("#status", "REJECTED"), chromedp.Click(".filters button"))
	b.until(`document.readyState === "complete" && location.search.includes("status=REJECTED") && document.querySelectorAll(".tag").length === document.querySelectorAll(".tag.bad").length`)
	b.byKeyboard("clients")
	b.shot("clients")
	b.do(chromedp.KeyEvent("/"))
	b.until(`document.activeElement.id === "q"`)
	// The tool's key press has a character of its own, which no script can prevent.
	b.until(`(document.activeElement.value = "") === ""`)
	b.do(chromedp.SendKeys("#q", id+"\r"), chromedp.WaitVisible("#entered")) // an id leads to the person
	b.do(chromedp.Navigate(p.origin+"/clients?q="+url.QueryEscape(strings.ToUpper(name))), chromedp.WaitVisible(`a[href="/clients/`+id+`"]`))

	b.do(chromedp.Navigate(p.origin+"/clients/"+id), chromedp.WaitVisible("#entered"))
	assert.NotContains(t, b.text(), name, "values are masked until they are asked for")
	b.shot("client-masked")
	b.do(chromedp.Click(`.head a[href="?show=1"]`), chromedp.WaitVisible(".photos img"))
	assert.Contains(t, b.text(), name)
	b.until(`document.querySelector(".photos img").naturalWidth > 100`)
	b.byKeyboard("client")
	b.shot("client")

	b.do(chromedp.Navigate(p.origin+"/callbacks"), chromedp.WaitVisible("#callbacks"))
	require.Eventually(t, func() bool { return strings.Contains(b.text(), "Live.") }, time.Minute, 50*time.Millisecond)
	event := truliootest.NewEvent(trulioo.EventStepSubmit, truliootest.EventSpec{ClientID: id})
	require.NoError(t, p.box.SendEvent(t.Context(), p.receiver.URL, event))
	b.do(chromedp.WaitVisible(`#callbacks a[href="/callbacks/1"]`)) // it comes by itself
	require.NoError(t, p.box.SendEvent(t.Context(), p.receiver.URL, event))
	require.Error(t, (&truliootest.Sender{Secret: "guessed", Attempts: 1}).SendEvent(t.Context(), p.receiver.URL, event))
	b.do(chromedp.WaitVisible(`#callbacks a[href="/callbacks/3"]`))
	assert.Contains(t, b.text(), "duplicate")
	assert.Contains(t, b.text(), "not verified")
	b.byKeyboard("callbacks")
	b.shot("callbacks")
	b.do(chromedp.Click(`#callbacks a[href="/callbacks/1"]`), chromedp.WaitVisible("#command"))
	assert.NotContains(t, b.text(), "Ada", "a body is masked until it is asked for")
	b.do(chromedp.Click(`main section form button`), chromedp.WaitVisible(".said"))
	assert.Contains(t, b.text(), "Sent again: 200.")
	b.do(chromedp.Click(`.head a[href="?show=1"]`), chromedp.WaitVisible("#body + pre"))
	assert.Contains(t, b.text(), "Ada")
	assert.NotContains(t, b.text(), truliootest.WebhookToken)
	b.byKeyboard("callback")
	b.shot("callback")
	running, failed := exportruns.Begin(exportruns.Run{Command: "export", Account: "sandbox", Place: "SQLite"}), exportruns.Begin(exportruns.Run{Command: "sync", Account: "sandbox", Place: "a folder"})
	running.Progress(trulioo.ExportProgress{Done: 90, Failed: 2, Total: 240})
	failed.Progress(trulioo.ExportProgress{Done: 12, Total: 240})
	failed.End(trulioo.ErrPaging)
	b.do(chromedp.Click(`nav a[href="/exports"]`), chromedp.WaitVisible("#runs progress"))
	b.byKeyboard("exports")
	b.shot("exports")
	running.End(nil)
	b.mu.Lock()
	defer b.mu.Unlock()
	assert.Empty(t, b.complaints, "the browser's own complaints: refused styles, scripts, requests")
}
