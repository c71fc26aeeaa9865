package trulioo_test

import (
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/trulioo-go/trulioo"
)

// parsedFiles parses the package's files, without its tests.
func parsedFiles(t *testing.T) map[string]*ast.File {
	t.Helper()
	files := map[string]*ast.File{}
	names, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		require.NoError(t, err)
		files[name] = file
	}
	return files
}

// overview is the text of doc.go.
func overview(t *testing.T) string {
	t.Helper()
	return parsedFiles(t)["doc.go"].Doc.Text()
}

// serviceMethods finds the exported methods of the services, as
// "ClientsService.Get", with their file and their Operation comment.
func serviceMethods(t *testing.T) (file, operation map[string]string) {
	t.Helper()
	file, operation = map[string]string{}, map[string]string{}
	comment := regexp.MustCompile(`(?m)^Operation: (.+)$`)
	for name, source := range parsedFiles(t) {
		for _, decl := range source.Decls {
			method, ok := decl.(*ast.FuncDecl)
			if !ok || method.Recv == nil || !method.Name.IsExported() {
				continue
			}
			pointer, ok := method.Recv.List[0].Type.(*ast.StarExpr)
			if !ok {
				continue
			}
			receiver, ok := pointer.X.(*ast.Ident)
			if !ok || !strings.HasSuffix(receiver.Name, "Service") {
				continue
			}
			full := receiver.Name + "." + method.Name.Name
			file[full] = name
			if found := comment.FindStringSubmatch(method.Doc.Text()); found != nil {
				operation[full] = found[1]
			}
		}
	}
	return file, operation
}

// tableOfRoutes is the table in routes.go: each path, behind its method, by the operation's name.
func tableOfRoutes(t *testing.T) map[string]string {
	t.Helper()
	paths := map[string]string{}
	constants := map[string]string{}
	word := func(e ast.Expr) string {
		if name, ok := e.(*ast.Ident); ok {
			return constants[name.Name]
		}
		text, err := strconv.Unquote(e.(*ast.BasicLit).Value)
		require.NoError(t, err)
		return text
	}
	ast.Inspect(parsedFiles(t)["routes.go"], func(n ast.Node) bool {
		if constant, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(constant.Names[0].Name, "Operation") {
			constants[constant.Names[0].Name] = word(constant.Values[0])
		}
		literal, ok := n.(*ast.CompositeLit)
		if !ok {
			return true
		}
		if name, ok := literal.Type.(*ast.Ident); ok && name.Name == "route" {
			paths[word(literal.Elts[0])] = "GET " + word(literal.Elts[1])
		}
		return true
	})
	require.NotEmpty(t, paths)
	return paths
}

// routePaths are the paths of the table in routes.go, each behind its method.
func routePaths(t *testing.T) []string {
	t.Helper()
	return slices.Collect(maps.Values(tableOfRoutes(t)))
}

func TestOperationsOfTheOverviewAreThoseOfTheCode(t *testing.T) {
	t.Parallel()
	file, operation := serviceMethods(t)
	row := regexp.MustCompile(`(?m)^\t(GET \S+) +(\w+Service\.\w+) +(\S+\.go)$`)
	documented := map[string]bool{}
	told := map[string]bool{}
	for _, found := range row.FindAllStringSubmatch(overview(t), -1) {
		path, method := found[1], found[2]
		documented[method], told[path] = true, true
		assert.Equal(t, file[method], found[3], "the file of %s", method)
		if said, ok := operation[method]; ok {
			assert.Equal(t, said, path, "the operation of %s", method)
		}
	}
	assert.ElementsMatch(t, slices.Collect(maps.Keys(file)), slices.Collect(maps.Keys(documented)))
	assert.ElementsMatch(t, routePaths(t), slices.Collect(maps.Keys(told)), "the table of operations in doc.go has each route")
	assert.ElementsMatch(t, routePaths(t), slices.Collect(maps.Values(operation)), "each route has one method with its Operation comment")
}

// The statuses that doc.go calls retried are exactly those that are.
func TestRetriedStatusesAreAsTheOverviewSays(t *testing.T) {
	t.Parallel()
	sentence := regexp.MustCompile(`the statuses ([\d, and]+), and from (\d+) to (\d+)`).FindStringSubmatch(overview(t))
	require.NotNil(t, sentence)
	told := regexp.MustCompile(`\d+`).FindAllString(sentence[1], -1)
	first, _ := strconv.Atoi(sentence[2])
	last, _ := strconv.Atoi(sentence[3])
	for code := first; code <= last; code++ {
		told = append(told, strconv.Itoa(code))
	}

	var status, requests atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		w.WriteHeader(int(status.Load()))
	}))
	t.Cleanup(srv.Close)
	client, err := trulioo.NewClient(
		trulioo.WithBaseURL(srv.URL),
		trulioo.WithTokenSource(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "t"})),
		trulioo.WithRetry(trulioo.RetryPolicy{MaxAttempts: 2, MinWait: 1, MaxWait: 1}),
	)
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	var retried []string
	for code := 400; code < 600; code++ {
		status.Store(int64(code))
		requests.Store(0)
		_, err := client.Workflows.List(t.Context(), nil)
		require.Error(t, err)
		if requests.Load() == 2 {
			retried = append(retried, strconv.Itoa(code))
		}
	}
	assert.Equal(t, told, retried)
}

// The numbers of the overview are the defaults that RetryPolicy's fields state.
func TestRetryDefaultsAreAsTheOverviewSays(t *testing.T) {
	t.Parallel()
	text := strings.Join(strings.Fields(overview(t)), " ")
	options, err := os.ReadFile("options.go")
	require.NoError(t, err)
	for field, phrase := range map[string]string{
		"MaxAttempts":    "at most %s times",
		"MinWait":        "a bound of %s",
		"MaxWait":        "up to %s",
		"MaxRetryAfter":  "longer than %s is not waited for",
		"AttemptTimeout": "takes longer than %s",
		"IdleTimeout":    "a silence of %s",
	} {
		stated := regexp.MustCompile(`(?m)^\t` + field + ` .*default (\d+(?: m?s)?)`).FindSubmatch(options)
		require.NotNil(t, stated, field)
		value := regexp.MustCompile(` s$`).ReplaceAllString(string(stated[1]), " seconds")
		assert.Contains(t, text, fmt.Sprintf(phrase, value))
	}
}

// The variables that the code names, the overview and the README are the same.
func TestEnvironmentVariablesAreDocumented(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile(`TRULIOO_[A-Z_]*[A-Z]`)
	names := func(text string) []string {
		return slices.Compact(slices.Sorted(slices.Values(name.FindAllString(text, -1))))
	}
	var read []string
	for file, source := range parsedFiles(t) {
		if file == "doc.go" {
			continue
		}
		ast.Inspect(source, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				return n.Type == nil // a typed constant is a value on the wire, such as a ServiceType
			case *ast.BasicLit:
				read = append(read, names(n.Value)...)
			}
			return true
		})
	}
	slices.Sort(read)
	read = slices.Compact(read)
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	assert.Equal(t, read, names(overview(t)))
	assert.Equal(t, read, names(string(readme)))
}

// pages are the Markdown files that people read.
func pages(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("*.md")
	require.NoError(t, err)
	more, err := filepath.Glob(filepath.Join("docs", "*.md"))
	require.NoError(t, err)
	texts := map[string]string{}
	for _, name := range append(names, more...) {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		texts[name] = strings.ReplaceAll(string(text), "\r\n", "\n")
	}
	return texts
}

func TestREADME(t *testing.T) {
	t.Parallel()
	readme := pages(t)["README.md"]
	assert.Less(t, strings.Count(readme, "\n"), 200)
	paragraphs := strings.Split(readme, "\n\n")
	require.Greater(t, len(paragraphs), 2)
	assert.Contains(t, strings.ToLower(paragraphs[1]), "unofficial")
	for _, must := range []string{"go run ./examples/quickstart", "go test work", "```mermaid", "MPL-2.0"} {
		assert.Contains(t, readme, must)
	}
}

// A link to a file leads somewhere.
func TestLinksOfTheDocsExist(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	code := regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	for page, text := range pages(t) {
		text = code.ReplaceAllString(text, "")
		for _, found := range link.FindAllStringSubmatch(text, -1) {
			_, err := os.Stat(filepath.Join(filepath.Dir(page), filepath.FromSlash(found[1])))
			assert.NoError(t, err, page)
		}
	}
}

// Every Go block of the docs is code that compiles.
func TestGoBlocksOfTheDocsCompile(t *testing.T) {
	t.Parallel()
	blocks := map[string]string{}
	block := regexp.MustCompile("(?ms)^ *```go\n(.*?)^ *```$")
	for page, text := range pages(t) {
		for i, found := range block.FindAllStringSubmatch(text, -1) {
			blocks[page+strconv.Itoa(i+1)] = found[1]
		}
	}
	require.Greater(t, len(blocks), 8, "the docs have Go blocks")
	compile(t, blocks)
}

// So is every example that stands in a comment of the core, truliootest or bundle.
func TestExamplesInCommentsCompile(t *testing.T) {
	t.Parallel()
	blocks := map[string]string{}
	names, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, folder := range []string{"truliootest", "bundle"} {
		more, err := filepath.Glob(filepath.Join(folder, "*.go"))
		require.NoError(t, err)
		names = append(names, more...)
	}
	block, isCode := regexp.MustCompile(`(?m)(?:^//\t.*\n)+`), regexp.MustCompile(`:=|trulioo\.|truliootest\.`)
	declared := regexp.MustCompile(`(?m)^(?:\w+, )*\w+ :=`)
	for _, name := range names {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		for i, found := range block.FindAllString(string(text), -1) {
			code := strings.ReplaceAll("\n"+found, "\n//\t", "\n")
			if strings.HasSuffix(name, "_test.go") || !isCode.MatchString(code) {
				continue
			}
			for _, list := range declared.FindAllString(code, -1) {
				for _, variable := range regexp.MustCompile(`\w+`).FindAllString(list, -1) {
					code += "_ = " + variable + "\n"
				}
			}
			blocks[name+strconv.Itoa(i+1)] = code
		}
	}
	require.Greater(t, len(blocks), 2, "the comments have examples")
	compile(t, blocks)
}

// compile builds each block as a package of its own.
func compile(t *testing.T, blocks map[string]string) {
	t.Helper()
	folder, err := filepath.Abs(filepath.Join("internal", "docblocks"))
	require.NoError(t, err)
	written := t.TempDir()
	overlay := map[string]string{}
	var packages []string
	for place, code := range blocks {
		name := regexp.MustCompile(`\W+`).ReplaceAllString(place, "_")
		file := filepath.Join(written, name+".go")
		require.NoError(t, os.WriteFile(file, []byte(program(code)), 0o600))
		overlay[filepath.Join(folder, name, "block.go")] = file
		packages = append(packages, "./internal/docblocks/"+name)
	}
	list, err := json.Marshal(map[string]any{"Replace": overlay})
	require.NoError(t, err)
	where := filepath.Join(written, "overlay.json")
	require.NoError(t, os.WriteFile(where, list, 0o600))

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	// Of several packages, go build keeps nothing; with -o it would skip all but programs.
	args := append([]string{"build", "-overlay=" + where}, packages...)
	out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput()
	require.NoError(t, err, string(out))
}

// program makes a package of a block, which may be one, or declarations, or
// statements about the names that the docs use for what a reader has already.
func program(block string) string {
	if _, err := parser.ParseFile(token.NewFileSet(), "", block, parser.PackageClauseOnly); err == nil {
		return block
	}
	head := "package block\n\nimport (\n"
	for _, path := range []string{
		"context", "encoding/json", "errors", "fmt", "io", "log", "log/slog", "net/http", "net/url", "os",
		"os/signal", "syscall", "testing", "time", "golang.org/x/oauth2",
		"github.com/stretchr/testify/require",
		"github.com/trulioo-go/trulioo", "github.com/trulioo-go/trulioo/truliootest", "github.com/trulioo-go/trulioo/bundle",
	} {
		if regexp.MustCompile(`\b` + filepath.Base(path) + `\.`).MatchString(block) {
			head += strconv.Quote(path) + "\n"
		}
	}
	body := head + ")\n\n"
	if _, err := parser.ParseFile(token.NewFileSet(), "", "package block\n"+block, 0); err == nil {
		return body + block
	}
	for _, path := range []string{"context", "net/http", "testing", "github.com/trulioo-go/trulioo", "github.com/trulioo-go/trulioo/truliootest"} {
		if !strings.Contains(head, strconv.Quote(path)) {
			head += strconv.Quote(path) + "\n"
		}
	}
	if regexp.MustCompile(`(?m)^(\w+, )*err :=`).MatchString(block) {
		block += "_ = err // a short block may leave the error to the reader\n"
	}
	address := "url string,"
	if strings.Contains(head, `"net/url"`) {
		address = "_ string,"
	}
	return head + `)

func block(ctx context.Context, t *testing.T, w http.ResponseWriter, r *http.Request, header http.Header, body []byte,
	id, secret, token, clientID, key string, ` + address + ` client *trulioo.Client, profile *trulioo.Profile, ev *trulioo.Event,
	handler *trulioo.WebhookHandler, srv *truliootest.Server, store func(context.Context, *trulioo.Profile) error) error {
	return func() error {
` + block + `
		return nil
	}()
}
`
}

// The callbacks of docs/webhooks.md are such: an event with every field, and a
// handshake.
func TestCallbacksOfTheDocs(t *testing.T) {
	t.Parallel()
	blocks := regexp.MustCompile("(?s)```json\n(.*?)\n```").FindAllStringSubmatch(pages(t)[filepath.Join("docs", "webhooks.md")], -1)
	require.Len(t, blocks, 2)
	ev, err := trulioo.ParseEvent([]byte(blocks[0][1]))
	require.NoError(t, err)
	for _, field := range []any{ev.ClientID, ev.Type, ev.Time, ev.User, ev.FlowID, ev.NodeID, ev.UserID, ev.ServiceType, ev.ServiceData} {
		assert.NotZero(t, field)
	}
	handler, err := trulioo.NewWebhookHandler(func(context.Context, *trulioo.Event) error { return nil },
		trulioo.WithVerificationToken("what-you-typed-into-the-builder"))
	require.NoError(t, err)
	for i, block := range blocks {
		status, _, answer := handler.Handle(t.Context(), http.Header{"Content-Type": {"application/json"}}, []byte(block[1]))
		assert.Equal(t, 200, status)
		assert.Equal(t, i == 1, strings.Contains(string(answer), "challenge"))
	}
}
