package cli

import (
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func (a *app) man() *cobra.Command {
	var dir string
	command := &cobra.Command{
		Use:   "man",
		Short: "Write manual pages",
		Long:  `Writes one manual page for each command into a folder, such as one that MANPATH names.`,
		Example: `  trulioo man -o ~/.local/share/man/man1
  man trulioo-clients`,
	}
	command.Flags().StringVarP(&dir, "output", "o", ".", "the `folder` to write to; it is made if it is not there")
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // manual pages are for everybody
			return err
		}
		date := time.Unix(0, 0).UTC()
		root := cmd.Root()
		root.DisableAutoGenTag = true
		return doc.GenManTree(root, &doc.GenManHeader{Title: "TRULIOO", Section: "1", Source: "trulioo " + version(), Manual: "trulioo", Date: &date}, dir)
	}
	return command
}
