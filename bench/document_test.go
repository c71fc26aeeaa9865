package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const documentPath = "../docs/openapi.yaml"

// lint is what is wrong with a document. Validate finds what the specification
// forbids, an example or a default that does not fit its schema included; the rest is
// what generators and readers need.
func lint(t *testing.T, text string) []string {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData([]byte(text))
	if err != nil {
		return []string{err.Error()}
	}
	var found []string
	if err := doc.Validate(t.Context(), openapi3.EnableExamplesValidation()); err != nil {
		found = append(found, err.Error())
	}
	tags := map[string]bool{}
	for _, tag := range doc.Tags {
		tags[tag.Name] = true
	}
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			found = append(found, lintOperation(method+" "+path, operation, tags)...)
		}
	}
	for _, name := range components(doc) {
		if !strings.Contains(text, `"#/components/`+name+`"`) && !strings.HasPrefix(name, "securitySchemes/") {
			found = append(found, name+" is never used")
		}
	}
	slices.Sort(found)
	return found
}

func lintOperation(where string, operation *openapi3.Operation, tags map[string]bool) []string {
	var found []string
	demand := func(ok bool, what string) {
		if !ok {
			found = append(found, where+" "+what)
		}
	}
	demand(operation.OperationID != "", "has no operationId")
	demand(operation.Summary != "", "has no summary")
	demand(operation.Description != "", "has no description")
	demand(len(operation.Tags) > 0, "has no tag")
	for _, tag := range operation.Tags {
		demand(tags[tag], "has the unknown tag "+tag)
	}
	demand(operation.Responses.Default() != nil, "says nothing of other statuses")
	return found
}

// components lists the names of a document's parts, as references spell them.
func components(doc *openapi3.T) []string {
	var names []string
	add := func(kind string, keys []string) {
		for _, key := range keys {
			names = append(names, kind+"/"+key)
		}
	}
	c := doc.Components
	add("schemas", slices.Collect(maps.Keys(c.Schemas)))
	add("parameters", slices.Collect(maps.Keys(c.Parameters)))
	add("responses", slices.Collect(maps.Keys(c.Responses)))
	add("headers", slices.Collect(maps.Keys(c.Headers)))
	add("examples", slices.Collect(maps.Keys(c.Examples)))
	add("requestBodies", slices.Collect(maps.Keys(c.RequestBodies)))
	return names
}

func documentText(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(documentPath)
	require.NoError(t, err)
	return string(text)
}

func TestDocumentIsLinted(t *testing.T) {
	t.Parallel()
	assert.Empty(t, lint(t, documentText(t)))
}

// Each mistake, made in the published document, is found.
func TestMistakesInTheDocumentAreFound(t *testing.T) {
	t.Parallel()
	text := documentText(t)
	for name, c := range map[string]struct{ old, mistake, found string }{
		"no operationId":      {"      operationId: fetchToken\n", "", "has no operationId"},
		"operationId twice":   {"operationId: fetchTokenV1", "operationId: fetchToken", "fetchToken"},
		"no summary":          {"      summary: Get a token for version 2\n", "", "has no summary"},
		"no description":      {"      description: The OAuth 2.0 client credentials grant. The credentials travel in the body, not in a Basic header.\n", "", "has no description"},
		"answer undescribed":  {"          description: A token.\n", "", "description"},
		"no tag":              {"      tags: [token]\n      summary", "      summary", "has no tag"},
		"unknown tag":         {"tags: [token]", "tags: [tokens]", "unknown tag tokens"},
		"unused component":    {"  schemas:\n", "  schemas:\n    Nobody: {type: string}\n", "schemas/Nobody is never used"},
		"reference to nobody": {"schemas/TokenRequest", "schemas/Nobody", "Nobody"},
		"example of another type": {
			"  schemas:\n", "  schemas:\n    Nobody: {type: string, example: 7}\n", "invalid example",
		},
		"default out of bounds": {
			"  schemas:\n", "  schemas:\n    Nobody: {type: integer, maximum: 5, default: 7}\n", "invalid default",
		},
		"unknown type": {"  schemas:\n", "  schemas:\n    Nobody: {type: text}\n", "text"},
		"no default answer": {
			"        \"400\": {$ref: \"#/components/responses/TokenRefused\"}\n        default: {$ref: \"#/components/responses/Unexpected\"}\n",
			"        \"400\": {$ref: \"#/components/responses/TokenRefused\"}\n", "says nothing of other statuses",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wrong := strings.Replace(text, c.old, c.mistake, 1)
			require.NotEqual(t, text, wrong, "the document has changed: make this mistake elsewhere")
			assert.Contains(t, fmt.Sprint(lint(t, wrong)), c.found)
		})
	}
}

// ogen, the strictest of Go's generators, compiles the document. The benchmarks have
// what oapi-codegen makes of it.
func TestOgenCompilesTheDocument(t *testing.T) {
	t.Parallel()
	generate := func(document string) (string, []byte, error) {
		dir := filepath.Join(t.TempDir(), "api")
		out, err := exec.CommandContext(t.Context(), "go", "tool", "ogen", "--target", dir, "--package", "api", document).CombinedOutput()
		return dir, out, err
	}
	dir, out, err := generate(documentPath)
	require.NoError(t, err, string(out))
	client, err := os.ReadFile(filepath.Join(dir, "oas_client_gen.go"))
	require.NoError(t, err)
	for _, operation := range []string{"FetchToken", "FetchTokenV1", "ListWorkflows", "ListClients", "GetClient", "DownloadFile"} {
		assert.Contains(t, string(client), "func (c *Client) "+operation+"(")
	}

	wrong := filepath.Join(t.TempDir(), "openapi.yaml")
	require.NoError(t, os.WriteFile(wrong, []byte(strings.Replace(documentText(t), "operationId: fetchTokenV1", "operationId: fetchToken", 1)), 0o600))
	_, _, err = generate(wrong)
	require.Error(t, err)
}
