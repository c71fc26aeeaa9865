// Command bench measures the library side by side, in one run, with two
// alternatives: the client that oapi-codegen makes of the API's OpenAPI document, and
// net/http with encoding/json, written by hand. It prints a table and writes
// docs/benchmarks.md and docs/benchmarks.svg.
//
//	go run ./bench           all of it, about ten minutes on two cores
//	go run ./bench -quick    a tenth of it, and only prints
//	go run ./bench -also go1.27.4   with that version of Go too
//
// The fake server is a process of its own, and so is each measured export and
// download, so that the processor time and the memory are those of the client alone.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

func main() {
	// The command runs itself for the processes that it measures.
	if len(os.Args) == 3 {
		switch os.Args[1] {
		case serveCommand:
			exit(serve(os.Args[2]))
		case measureCommand:
			exit(measure(os.Args[2]))
		}
	}
	quick := flag.Bool("quick", false, "fewer clients and rounds; nothing is written unless -docs is given")
	docs := flag.String("docs", "", `folder to write benchmarks.md and benchmarks.svg to (default "docs", none with -quick)`)
	also := flag.String("also", "", "another toolchain to measure with, such as go1.27.4, after this one")
	section := flag.Bool("section", false, "print the section of the page and write nothing")
	flag.Parse()
	if *section {
		exit(printSection(sizes(*quick)))
	}
	if *docs == "" && !*quick {
		*docs = "docs"
	}
	exit(run(sizes(*quick), *docs, *also, *quick))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// run measures, prints and writes.
func run(s size, docs, also string, quick bool) error {
	if docs != "" { // before minutes are spent on a page that cannot be written
		if info, err := os.Stat(docs); err != nil || !info.IsDir() {
			return fmt.Errorf("no folder %s; run from the root of the repository, or give -docs", docs)
		}
	}
	r, err := all(s)
	if err != nil {
		return err
	}
	if also != "" {
		if r.other, err = sectionOf(also, quick); err != nil {
			return err
		}
	}
	fmt.Println(r.table(), r.other)
	if docs == "" {
		return nil
	}
	if err := os.WriteFile(filepath.Join(docs, "benchmarks.md"), []byte(r.page()), 0o600); err != nil {
		return err
	}
	return r.draw(filepath.Join(docs, "benchmarks.svg"))
}

// printSection measures with this program's version of Go.
func printSection(s size) error {
	r, err := all(s)
	if err != nil {
		return err
	}
	_, err = fmt.Print(r.section())
	return err
}

// sectionOf has this program, built with another version of Go, measure.
func sectionOf(toolchain string, quick bool) (string, error) {
	another := exec.Command("go", "run", "./bench", "-section", "-quick="+strconv.FormatBool(quick)) //nolint:gosec,noctx // this program, named by who runs it
	another.Env = append(os.Environ(), "GOTOOLCHAIN="+toolchain)
	another.Stderr = os.Stderr
	text, err := another.Output()
	return string(text), err
}
