package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/bundle"
)

func (a *app) bundle() *cobra.Command {
	var to string
	command := &cobra.Command{
		Use:   "bundle ID",
		Short: "Put everything about one end client into a zip or a folder, for an auditor or the person",
		Long: `Makes a zip, if -o ends in .zip, or else a folder: the API's answer byte for byte, every photo and document, a page that can be read and
printed, and a manifest with the digest of each. A file that cannot be downloaded is listed as missing, on the page too, and the exit code
is then 3. Only you can read the zip or the folder.`,
		Example: `  trulioo bundle 665f1b1c2d3e4f5a6b7c8d9e -o person.zip
  trulioo bundle - -o person < id.txt`,
		Args: oneArgument(idArgument),
	}
	command.Flags().StringVarP(&to, "output", "o", "", "the `file` that ends in .zip, or the folder, to write to")
	command.RunE = func(cmd *cobra.Command, args []string) error {
		if to == "" {
			return usage("-o FILE.zip or -o FOLDER is needed")
		}
		x, err := a.open(cmd.Context())
		if err != nil {
			return err
		}
		defer x.close()
		id, err := a.clientID(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if strings.EqualFold(filepath.Ext(to), ".zip") {
			err = writeZip(cmd.Context(), x.client, id, to)
		} else {
			err = bundle.Save(cmd.Context(), x.client, id, to)
		}
		if errors.As(err, new(*trulioo.FileError)) && cmd.Context().Err() == nil {
			return fmt.Errorf("%w: %w", errSomeFiles, err)
		}
		return err
	}
	return command
}

// writeZip gives the zip its name when it is whole.
func writeZip(ctx context.Context, client *trulioo.Client, id, name string) error {
	part, err := os.CreateTemp(filepath.Dir(name), ".trulioo-*.zip") // nobody else can read it
	if err != nil {
		return err
	}
	missing := bundle.Write(ctx, client, id, part)
	err = errors.Join(part.Sync(), part.Close())
	whole := missing == nil || errors.As(missing, new(*trulioo.FileError)) && ctx.Err() == nil
	if err == nil && whole {
		err = os.Rename(part.Name(), name)
	}
	if err != nil || !whole {
		err = errors.Join(err, os.Remove(part.Name()))
	}
	return errors.Join(missing, err)
}
