package main

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
)

// process is another run of this program.
type process struct {
	command *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

// start runs this program with a command and its JSON argument.
func start(command string, argument any) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(argument)
	if err != nil {
		return nil, err
	}
	p := &process{command: exec.Command(self, command, string(text))} //nolint:gosec,noctx // it is this program, and ends with its input
	p.command.Stderr = os.Stderr
	if p.in, err = p.command.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	return p, p.command.Start()
}

// read takes one line of JSON.
func (p *process) read(v any) error {
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return err
	}
	return json.Unmarshal(line, v)
}

// end closes the input and waits.
func (p *process) end() error {
	_ = p.in.Close() // it may have ended by itself
	return p.command.Wait()
}

// perform has a process do a job.
func perform(j job) (outcome, error) {
	var o outcome
	p, err := start(measureCommand, j)
	if err != nil {
		return o, err
	}
	readErr := p.read(&o)
	if err := p.end(); err != nil {
		return o, err
	}
	return o, readErr
}
