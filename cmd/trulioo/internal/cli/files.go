package cli

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/trulioo-go/trulioo"
)

func (a *app) files() *cobra.Command {
	var dir string
	command := &cobra.Command{
		Use:   "files ID",
		Short: "Download the photos and documents of one end client",
		Long: `Downloads all files of one end client into a folder that only you can read. Names are safe on any disk and differ from each other. A
file that is there already is whole and is not fetched again, so the command can be stopped and run again. It prints the names.`,
		Example: `  trulioo files 665f1b1c2d3e4f5a6b7c8d9e -o photos
  trulioo files - -o photos < id.txt`,
		Args: oneArgument(idArgument),
	}
	command.Flags().StringVarP(&dir, "output", "o", "", "the `folder` to write to; it is made if it is not there")
	command.RunE = func(cmd *cobra.Command, args []string) error {
		if dir == "" {
			return usage("-o FOLDER is needed")
		}
		return a.withProfile(cmd.Context(), args[0], func(x *access, p *trulioo.Profile) error {
			return a.saveFiles(cmd.Context(), x, p, dir)
		})
	}
	return command
}

func (a *app) saveFiles(ctx context.Context, x *access, p *trulioo.Profile, dir string) error {
	if len(p.Files()) == 0 {
		fmt.Fprintln(a.err, "there are no files")
		return nil
	}
	saved, err := x.client.Files.SaveAll(ctx, dir, p)
	for _, file := range saved {
		fmt.Fprintln(a.out, filepath.Join(dir, file.Name))
		if file.ContentEncoding != "" {
			fmt.Fprintf(a.err, "%s: the server stores it encoded, as %q\n", file.Name, file.ContentEncoding)
		}
	}
	if err != nil && ctx.Err() == nil && len(saved) > 0 {
		return fmt.Errorf("%w: %w", errSomeFiles, err)
	}
	return err
}
