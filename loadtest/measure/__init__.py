"""What every measurement of Footfall needs: processes, figures, rows, tables, charts. Standard library only."""
