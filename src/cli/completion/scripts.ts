export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/**
 * The scripts know no command: each asks the program that is on the line (`internal complete`), so that they fit every version of it.
 * The first line of the answer says whether files are wanted, the others are `value<tab>description`.
 */
const SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: `# bash completion for holdfast
# Load it with: source <(holdfast completion bash)

_holdfast() {
    # Bash breaks words at : and =, which are parts of addresses and options: what stands together is one word.
    local line=$COMP_LINE words=() rest word i
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=\${COMP_WORDS[i]}
        rest=\${line#"\${line%%[![:space:]]*}"}
        if ((i > 0)) && [[ -n $word && $rest == "$line" ]]; then
            words[-1]+=$word
        else
            words+=("$word")
        fi
        line=\${rest#"$word"}
    done
    local current=\${words[-1]} answer=() entry kept
    mapfile -t answer < <("$1" internal complete -- "\${words[@]:1}" 2>/dev/null)
    COMPREPLY=()
    # Only what stands behind the last break is replaced.
    kept=\${current%"\${current##*[:=]}"}
    [[ $COMP_WORDBREAKS == *:* ]] || kept=\${current%"\${current##*=}"}
    for entry in "\${answer[@]:1}"; do
        entry=\${entry%%$'\\t'*}
        COMPREPLY+=("\${entry#"$kept"}")
    done
    case \${answer[0]-} in
    files) compopt -o filenames; mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "\${current#"$kept"}") ;;
    folders) compopt -o filenames; mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen -d -- "\${current#"$kept"}") ;;
    esac
}
complete -F _holdfast holdfast
`,
  zsh: `#compdef holdfast
# zsh completion for holdfast
# Load it with: source <(holdfast completion zsh)

_holdfast() {
    local -a answer entries
    local entry
    answer=("\${(@f)$(\${words[1]} internal complete -- "\${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
    for entry in "\${(@)answer[2,-1]}"; do
        # A colon separates value and description for _describe; those of the value are escaped.
        if [[ $entry == *$'\\t'* ]]; then
            entries+=("\${\${entry%%$'\\t'*}//:/\\\\:}:\${entry#*$'\\t'}")
        else
            entries+=("\${entry//:/\\\\:}")
        fi
    done
    (( \${#entries} )) && _describe -V holdfast entries
    case \${answer[1]} in
    files) _files ;;
    folders) _files -/ ;;
    esac
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _holdfast "$@"
else
    compdef _holdfast holdfast
fi
`,
  fish: `# fish completion for holdfast
# Load it with: holdfast completion fish | source

function __holdfast_complete
    set -l words (commandline --tokenize --cut-at-cursor --current-process)
    set -l current (commandline --current-token --cut-at-cursor)
    set -l answer ($words[1] internal complete -- $words[2..-1] "$current" 2>/dev/null)
    switch "$answer[1]"
        case files
            __fish_complete_path "$current"
        case folders
            __fish_complete_directories "$current"
    end
    string join \\n -- $answer[2..-1]
end
complete --command holdfast --no-files --arguments '(__holdfast_complete)'
`,
};

export function completionScript(shell: Shell): string {
  return SCRIPTS[shell];
}

/** The names by which the shells look for the scripts, each in a folder of its own. */
export const COMPLETION_FILES: Readonly<Record<Shell, string>> = {
  bash: "bash/holdfast",
  zsh: "zsh/_holdfast",
  fish: "fish/holdfast.fish",
};
