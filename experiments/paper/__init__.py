"""Questions of papers on scaling laws, asked again."""
