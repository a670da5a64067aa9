# Bash completion for rlmesh-sandbox. The program itself knows what may follow.
# shellcheck shell=bash

_rlmesh_sandbox() {
    local program=$1 current=$2 line=${COMP_LINE:0:COMP_POINT} words=() starts=() count=0
    local index word rest raw prefix quote='' output value description

    # A file name follows a redirection.
    if ((COMP_CWORD > 0)) && [[ ${COMP_WORDS[COMP_CWORD - 1]} == *[\<\>] ]]; then
        compopt -o filenames 2>/dev/null
        IFS=$'\n' read -r -d '' -a COMPREPLY < <(compgen -f -- "$current")
        return 0
    fi

    # Bash also splits words at the characters of COMP_WORDBREAKS, such as : and =. Put them together again.
    for ((index = 0; index <= COMP_CWORD; index++)); do
        word=${COMP_WORDS[index]}
        rest=${line#"${line%%[![:space:]]*}"}
        ((index < COMP_CWORD)) || word=$rest
        if ((count == 0)) || [[ $rest != "$line" ]]; then
            words[count]=$word
            starts[count]=$index
            ((count += 1))
        else
            words[count - 1]+=$word
        fi
        if ((index == 0)); then line=${rest#*"$word"}; else line=${rest#"$word"}; fi
    done

    # Bash replaces only the part of the word after the last of those characters.
    raw=${words[count - 1]}
    case $raw in
        [\'\"]*) quote=${raw:0:1} ;;
        *) ;;
    esac
    prefix=${raw%"$current"}
    for ((index = 0; index < count; index++)); do
        case ${words[index]} in
            [\'\"]*) word=${words[index]:1} && words[index]=${word%[\'\"]} ;;
            *) words[index]=${words[index]//\\/} ;;
        esac
    done
    prefix=${prefix#"$quote"}
    prefix=${prefix//\\/}

    [[ $program != \~/* ]] || program=$HOME${program#\~}
    type -P -- "$program" >/dev/null || program=rlmesh-sandbox
    output=$("$program" __complete "$((count - 1))" "${words[@]}" 2>/dev/null </dev/null) || return 0

    COMPREPLY=()
    local values=() descriptions=()
    while IFS= read -r line; do
        value=${line%%$'\t'*}
        description=${line#*$'\t'}
        if [[ -z $value && $description == command\ * ]]; then
            _rlmesh_sandbox_command "${starts[${description#command }]}" "$current"
            return 0
        fi
        [[ -n $value ]] || continue
        value=${value#"$prefix"}
        if [[ -z $quote && $value == *[!a-zA-Z0-9_./:=@,+~%-]* ]]; then
            # A quoted ~ would not be the home folder.
            if [[ $value == \~/* ]]; then
                printf -v value '%q' "${value#\~/}"
                value=\~/$value
            else
                printf -v value '%q' "$value"
            fi
        fi
        values+=("$value")
        descriptions+=("$description")
    done <<<"$output"

    # The second TAB only lists: then there is room for descriptions.
    if [[ ${COMP_TYPE-} == 63 ]] && ((${#values[@]} > 1)); then
        for ((index = 0; index < ${#values[@]}; index++)); do
            [[ -n ${descriptions[index]} ]] || continue
            values[index]+="  (${descriptions[index]})"
            values[index]=${values[index]:0:${COLUMNS:-80} - 1}
        done
    elif ((${#values[@]} == 1)) && [[ ${values[0]} == *[/:=@] ]]; then
        compopt -o nospace 2>/dev/null
    fi
    COMPREPLY=("${values[@]}")
}

# Completes the user's own command, whose first word has the given number.
_rlmesh_sandbox_command() {
    if declare -F _comp_command_offset >/dev/null; then
        _comp_command_offset "$1"
    elif declare -F _command_offset >/dev/null; then
        _command_offset "$1"
    else
        compopt -o filenames 2>/dev/null
        if ((COMP_CWORD == $1)); then
            IFS=$'\n' read -r -d '' -a COMPREPLY < <(compgen -c -- "$2")
        else
            IFS=$'\n' read -r -d '' -a COMPREPLY < <(compgen -f -- "$2")
        fi
    fi
}

complete -o nosort -F _rlmesh_sandbox rlmesh-sandbox 2>/dev/null || complete -F _rlmesh_sandbox rlmesh-sandbox
