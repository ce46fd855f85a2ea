# Sourced by scripts that need a tool: looks for it, and installs it where that is possible.

need() { # command, package
    command -v "$1" >/dev/null && return 0
    if command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ]; then
        echo "installing $2 for $1"
        apt-get update -qq && apt-get install -qq -y "$2" >/dev/null
    fi
    command -v "$1" >/dev/null || { echo "$1 is missing: install $2"; return 1; }
}

need_component() { # cargo verb, component of rustup
    cargo "$1" --version >/dev/null 2>&1 && return 0
    rustup component add "$2"
}
