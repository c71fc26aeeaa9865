package term

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// Asker reads answers: typed ones from a terminal, lines from a pipe.
type Asker struct {
	in  io.Reader
	out io.Writer // for the questions, which only a terminal sees
	buf *bufio.Reader
}

// NewAsker reads from in and asks on out.
func NewAsker(in io.Reader, out io.Writer) *Asker {
	return &Asker{in: in, out: out, buf: bufio.NewReader(in)}
}

// maxAnswer bounds the length of a line; a longer one is not an answer.
const maxAnswer = 64 << 10

// Ask reads a line. hidden says not to show what is typed. The end of ctx ends the wait,
// and leaves the terminal as it was.
func (a *Asker) Ask(ctx context.Context, question string, hidden bool) (string, error) {
	file, ok := a.in.(*os.File)
	terminal := ok && term.IsTerminal(int(file.Fd()))
	if terminal {
		fmt.Fprint(a.out, question+": ")
	}
	if terminal && hidden {
		return a.hidden(ctx, int(file.Fd()))
	}
	return await(ctx, a.line)
}

func (a *Asker) line() (string, error) {
	line, err := a.buf.ReadString('\n')
	if len(line) > maxAnswer {
		return "", errors.New("the line is too long")
	}
	if line == "" && err != nil {
		if errors.Is(err, io.EOF) {
			return "", errors.New("the input has ended")
		}
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}

func (a *Asker) hidden(ctx context.Context, terminal int) (string, error) {
	before, err := term.GetState(terminal)
	if err != nil {
		return "", err
	}
	answer, err := await(ctx, func() (string, error) {
		secret, err := term.ReadPassword(terminal)
		return string(secret), err
	})
	if err != nil {
		_ = term.Restore(terminal, before)
	}
	fmt.Fprintln(a.out)
	return answer, err
}

// await returns at the end of ctx, and leaves the read behind: the process then ends.
func await(ctx context.Context, read func() (string, error)) (string, error) {
	type result struct {
		text string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		text, err := read()
		done <- result{text, err}
	}()
	select {
	case r := <-done:
		return r.text, r.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
