package trulioo_test

import (
	"crypto/sha256"
	"encoding/hex"
	"go/ast"
	"go/doc"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// CONTRIBUTING.md has a map of the house, with every room on it.
func TestMapIsComplete(t *testing.T) {
	t.Parallel()
	_, rest, found := strings.Cut(pages(t)["CONTRIBUTING.md"], "\n## Where things are\n")
	require.True(t, found)
	rooms, _, _ := strings.Cut(rest, "\n## ")
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, name := range files {
		if !strings.HasSuffix(name, "_test.go") {
			assert.Contains(t, rooms, " "+name)
		}
	}
	packages, err := filepath.Glob(filepath.Join("internal", "*"))
	require.NoError(t, err)
	for _, dir := range packages {
		assert.Contains(t, rooms, "`"+filepath.Base(dir)+"`")
	}
}

// Foreign code that panics or ends its goroutine must arrive where the caller
// waits for it: internal/guard starts every goroutine. Only a cancel function may
// run on a timer's or a context's own. The command, examples and benchmarks are programs of their own.
func TestGoroutinesAreGuarded(t *testing.T) {
	t.Parallel()
	set := token.NewFileSet()
	seen := 0
	require.NoError(t, filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		slashed := filepath.ToSlash(path)
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (slashed == "cmd" || slashed == "examples" || slashed == "bench" || slashed == "internal/guard" || strings.HasPrefix(entry.Name(), ".") && path != "."):
			return filepath.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		seen++
		for _, at := range unguarded(file) {
			assert.Fail(t, "a goroutine that is not started by internal/guard", set.Position(at))
		}
		return nil
	}))
	assert.Greater(t, seen, 50)

	for source, want := range map[string]int{
		`go f()`: 1, `go func() {}()`: 1, `var all sync.WaitGroup; all.Go(f)`: 1, `x.group.Go(func() error { return nil })`: 1,
		`time.AfterFunc(d, f)`: 1, `time.AfterFunc(d, func() { source.Token() })`: 1, `time.AfterFunc(d, func() { cancel(nil); f() })`: 1,
		`context.AfterFunc(ctx, body.close)`: 1, `time.AfterFunc(d, func() { cancel(errIdle) })`: 0, `context.AfterFunc(ctx, cancel)`: 0,
		`guard.Start(f)`: 0, `group.Start(f)`: 0,
	} {
		file, err := parser.ParseFile(set, "", "package p; func _() {"+source+"}", parser.SkipObjectResolution)
		require.NoError(t, err)
		assert.Len(t, unguarded(file), want, source)
	}
}

// unguarded finds the places that start a goroutine.
func unguarded(file *ast.File) (found []token.Pos) {
	for node := range ast.Preorder(file) {
		switch node := node.(type) {
		case *ast.GoStmt:
			found = append(found, node.Pos())
		case *ast.CallExpr:
			method, ok := node.Fun.(*ast.SelectorExpr)
			if ok && (method.Sel.Name == "Go" || method.Sel.Name == "AfterFunc" && !cancels(node.Args[len(node.Args)-1])) {
				found = append(found, node.Pos())
			}
		}
	}
	return found
}

// cancels reports whether a function is cancel, or one that only calls it.
func cancels(function ast.Expr) bool {
	if literal, ok := function.(*ast.FuncLit); ok && len(literal.Body.List) == 1 {
		if statement, ok := literal.Body.List[0].(*ast.ExprStmt); ok {
			if call, ok := statement.X.(*ast.CallExpr); ok {
				function = call.Fun
			}
		}
	}
	name, ok := function.(*ast.Ident)
	return ok && name.Name == "cancel"
}

// The workflows run no action that its owner could change unnoticed.
func TestActionsArePinnedByDigest(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob(filepath.Join(".github", "workflows", "*.yml"))
	require.NoError(t, err)
	require.NotEmpty(t, names)
	pinned := regexp.MustCompile(`uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+`)
	for _, name := range names {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		assert.Len(t, pinned.FindAll(text, -1), strings.Count(string(text), "uses:"), name)
	}
}

// The exported API is in testdata/api.txt, so that a change to it shows in
// review, and CHANGELOG.md names the digest of that file below the bullet about the
// change. -update rewrites the file.
func TestAPI(t *testing.T) {
	t.Parallel()
	golden := filepath.Join("testdata", "api.txt")
	api := exportedAPI(t, ".") + "\n" + exportedAPI(t, "truliootest")
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(api), 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	unix := strings.ReplaceAll(string(want), "\r\n", "\n")
	require.Equal(t, unix, api, "the exported API has changed; if it is meant to, run make golden")

	digest := sha256.Sum256([]byte(api))
	line := "API: `" + hex.EncodeToString(digest[:6]) + "`"
	section := newestSection(t)
	assert.True(t, strings.Contains(section, line), "say in CHANGELOG.md what changed in the exported API, and end the section with this line: %s", line) //nolint:testifylint // Contains prints the whole section
	assert.Regexp(t, `(?m)^- \w`, section, "the section that names the digest says what changed")
}

// newestSection is the first section of CHANGELOG.md that names a digest:
// Unreleased where the API has changed since the last release.
func newestSection(t *testing.T) string {
	t.Helper()
	for section := range strings.SplitSeq(pages(t)["CHANGELOG.md"], "\n## ") {
		if strings.Contains(section, "\nAPI: `") {
			return section
		}
	}
	require.Fail(t, "CHANGELOG.md names no digest of the API")
	return ""
}

// exportedAPI prints the exported declarations of a package, without comments.
func exportedAPI(t *testing.T, folder string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "*.go"))
	require.NoError(t, err)
	set := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		// Without comments, so that the words may change freely.
		file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		files = append(files, file)
	}
	pkg, err := doc.NewFromFiles(set, files, "github.com/trulioo-go/trulioo/"+folder)
	require.NoError(t, err)

	var out strings.Builder
	// Without the empty lines and the columns, which depend on the comments.
	space := strings.NewReplacer("\t", " ")
	write := func(decl ast.Node) {
		var code strings.Builder
		require.NoError(t, format.Node(&code, set, decl))
		for line := range strings.Lines(space.Replace(code.String())) {
			if words := strings.Fields(line); len(words) > 0 {
				indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
				out.WriteString(indent + strings.Join(words, " ") + "\n")
			}
		}
	}
	values := func(all []*doc.Value) {
		for _, v := range all {
			write(v.Decl)
		}
	}
	funcs := func(all []*doc.Func) {
		for _, f := range all {
			write(f.Decl)
		}
	}
	out.WriteString("package " + pkg.Name + "\n\n")
	values(pkg.Consts)
	values(pkg.Vars)
	funcs(pkg.Funcs)
	for _, typ := range pkg.Types {
		out.WriteString("\n")
		write(typ.Decl)
		values(typ.Consts)
		values(typ.Vars)
		funcs(typ.Funcs)
		funcs(typ.Methods)
	}
	return out.String()
}

// The nightly run of mutations names the internal packages that have tests of their own.
func TestNightlyMutationsNameThePackages(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(".github", "workflows", "nightly.yml"))
	require.NoError(t, err)
	_, list, found := strings.Cut(string(text), "        package: [")
	require.True(t, found)
	list, _, _ = strings.Cut(list, "]")
	tested, err := filepath.Glob(filepath.Join("internal", "*", "*_test.go"))
	require.NoError(t, err)
	var want []string
	for _, name := range tested {
		if dir := filepath.Base(filepath.Dir(name)); dir != "transport" { // on a line of its own
			want = append(want, dir)
		}
	}
	slices.Sort(want)
	assert.Equal(t, slices.Compact(want), strings.Split(list, ", "))
}

// An operation has one name in one place, which the errors, the observers, the fake
// server and the adapters share.
func TestOperationsAreNamedOnce(t *testing.T) {
	t.Parallel()
	table, err := os.ReadFile("routes.go")
	require.NoError(t, err)
	names := regexp.MustCompile(`\tOperation\w+ += ("[^"]+")`).FindAllSubmatch(table, -1)
	require.NotEmpty(t, names)
	seen := map[string]int{}
	require.NoError(t, filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if path == "cmd" || path == "examples" || path == "bench" { // programs, whose commands can have a name such as "export"
			return filepath.SkipDir
		}
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for node := range ast.Preorder(file) {
			if literal, ok := node.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				seen[literal.Value]++
			}
		}
		return nil
	}))
	for _, name := range names {
		assert.Equal(t, 1, seen[string(name[1])], "%s is written out beside its constant in routes.go", name[1])
	}
}
