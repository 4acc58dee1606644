"""Many runs, and what they show: demonstrations, sweeps, reports."""
