# make check is what CI runs.
.PHONY: check test lint format fuzz golden licences

check:
	.ci/run

test:
	go test work

lint:
	.ci/run lint

format:
	gofmt -w .

fuzz:
	.ci/run fuzz

# golden writes redact_methods.go, redact_types_test.go, testdata/api.txt and testdata/routes.golden anew; see CONTRIBUTING.md.
golden:
	go test -vet=off -run '^TestRedactMethods$$' . -update
	go test -run '^(TestAPI|TestRoutes_golden)$$' . -update

# licences lists the licence of every module, direct and indirect; see .ci/licences.
licences:
	.ci/licences
