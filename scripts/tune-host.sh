#!/usr/bin/env bash
# Quiets a host for pinned, spinning threads: what needs root, and what can be undone.
#
# Every old value is written to the state file before the new one is set, so that --undo restores
# it, also after a run that was cut off. A second run keeps the oldest values. Nothing here outlives
# a reboot. What only the kernel's command line can do (isolcpus, nohz_full, rcu_nocbs) `doctor`
# spells out.
set -euo pipefail

readonly GROUPS_ALL="governor idle irq thp memory kernel"
readonly DEEP_US=10 # idle states that take longer to leave are switched off

usage() {
    cat <<'TEXT'
Usage: tune-host.sh [--dry-run] --cores LIST [--only GROUP,..] [--state FILE] [--root DIR]
       tune-host.sh [--dry-run] --undo [--state FILE] [--root DIR]

  --cores LIST    cores that run a planned thread, as 2-7 or 1,3: see `doctor`
  --only GROUPS   some of governor,idle,irq,thp,memory,kernel (default: all)
  --dry-run       print what would be done, and do nothing
  --undo          restore every value in the state file, then remove the file
  --state FILE    default: ROOT/var/lib/pitlane/tune-host.state
  --root DIR      work on a copy of /proc and /sys below DIR (default: /)

  governor  performance on the planned cores
  idle      idle states that take over 10 us to leave: off on the planned cores
  irq       device interrupts to the cores that are neither planned, nor siblings of
            planned ones, nor isolated
  thp       transparent huge pages only on request, no khugepaged defragmentation
  memory    no moving between nodes, no merging of pages, swap as late as can be
  kernel    no NMI watchdog, no timer migration, statistics every 120 s, work queues
            off the planned cores

Exit codes: 0 done, 1 the kernel refused a value, 2 usage, 3 no permission or unreadable.
An interrupt whose affinity the kernel manages itself refuses: told, and no failure.
TEXT
}

fail() { # code, message
    printf 'error: %s\n' "$2" >&2
    exit "$1"
}

# --- core lists
# ---------------------------------------------------------------------------------------

expand() { # list -> one core a line, ascending
    local part first last
    [[ $1 =~ ^[0-9]{1,4}(-[0-9]{1,4})?(,[0-9]{1,4}(-[0-9]{1,4})?)*$ ]] || return 1
    for part in ${1//,/ }; do
        first=$((10#${part%-*})) last=$((10#${part#*-}))
        ((first <= last)) || return 1
        seq "$first" "$last"
    done | sort -nu
}

fold() { # one core a line, ascending -> list
    local core first='' last='' list=''
    while read -r core; do
        if [[ -n $last ]] && ((core == last + 1)); then
            last=$core
            continue
        fi
        [[ -z $first ]] || list+=",$(range "$first" "$last")"
        first=$core last=$core
    done
    [[ -z $first ]] || list+=",$(range "$first" "$last")"
    printf '%s\n' "${list#,}"
}

range() { if (($1 == $2)); then echo "$1"; else echo "$1-$2"; fi; }

minus() { # list, list -> cores of the first that are not in the second, one a line
    comm -23 <(sort <<<"$1") <(sort <<<"$2") | sed '/^$/d' | sort -n
}

list_of() { # path on the host -> its cores, one a line; none when it is missing, empty or `(null)`
    if [[ -s $root$1 ]]; then expand "$(<"$root$1")" 2>/dev/null || true; fi
}

mask() { # one core a line -> hexadecimal mask in groups of 32 bits, highest first, as the kernel prints it
    local core group highest=0 text=''
    local -a words=()
    while read -r core; do
        group=$((core / 32))
        words[group]=$((${words[group]:-0} | (1 << (core % 32))))
        if ((group > highest)); then highest=$group; fi
    done
    for ((group = highest; group >= 0; group--)); do
        if ((group == highest)); then
            text=$(printf '%x' "${words[group]:-0}")
        else
            text+=$(printf ',%08x' "${words[group]:-0}")
        fi
    done
    printf '%s\n' "$text"
}

# --- values
# -------------------------------------------------------------------------------------------

value() { # path on the host -> its value; the chosen word of `always [madvise] never`
    local text
    text=$(<"$root$1") || return 1
    if [[ $text =~ \[([^]]*)\] ]]; then text=${BASH_REMATCH[1]}; fi
    printf '%s' "$text"
}

same() { # value, value: masks may differ in leading zeros
    local a=$1 b=$2
    [[ $a == "$b" ]] && return 0
    [[ $a =~ ^[0-9a-f,]+$ && $b =~ ^[0-9a-f,]+$ && $3 == *mask ]] || return 1
    a=${a//,/} b=${b//,/}
    [[ ${a#"${a%%[!0]*}"} == "${b#"${b%%[!0]*}"}" ]]
}

kind() { if [[ $1 == */default_smp_affinity || $1 == */cpumask ]]; then echo mask; else echo plain; fi; }

put() { # path on the host, value: whether it was taken
    { printf '%s\n' "$2" >"$root$1"; } 2>/dev/null && same "$(value "$1")" "$2" "$(kind "$1")"
}

remember() { # path, old value: before anything is changed
    if [[ ! -e $state ]]; then
        mkdir -p "$(dirname "$state")"
        printf '# old values of tune-host.sh: path, tab, value\n' >"$state"
    fi
    if ! cut -f1 "$state" | grep -qxF -- "$1"; then
        printf '%s\t%s\n' "$1" "$2" >>"$state"
    fi
}

set_value() { # path on the host, new value
    local path=$1 new=$2 old
    [[ -e $root$path ]] || return 0
    if ! old=$(value "$path" 2>/dev/null); then
        printf 'skip    %s: unreadable\n' "$path"
        return 0
    fi
    if same "$old" "$new" "$(kind "$path")"; then
        kept=$((kept + 1))
    elif ((dry_run)); then
        printf 'would   %s: %s -> %s\n' "$path" "$old" "$new"
        changed=$((changed + 1))
    else
        remember "$path" "$old"
        if put "$path" "$new"; then
            printf 'set     %s: %s -> %s\n' "$path" "$old" "$new"
            changed=$((changed + 1))
        elif [[ $path == /proc/irq/*/smp_affinity_list ]]; then
            printf 'managed %s: %s stays\n' "$path" "$old"
        else
            printf 'refused %s: %s, not %s\n' "$path" "$old" "$new"
            refused=$((refused + 1))
        fi
    fi
}

# --- groups
# -------------------------------------------------------------------------------------------

tune_governor() {
    local core
    for core in $cores; do
        set_value "/sys/devices/system/cpu/cpu$core/cpufreq/scaling_governor" performance
    done
}

tune_idle() {
    local core folder path latency
    for core in $cores; do
        for folder in "$root/sys/devices/system/cpu/cpu$core/cpuidle"/state*; do
            [[ -r $folder/latency ]] || continue
            latency=$(<"$folder/latency")
            path=${folder#"$root"}
            if [[ $latency =~ ^[0-9]+$ ]] && ((latency > DEEP_US)); then
                set_value "$path/disable" 1
            fi
        done
    done
}

tune_irq() {
    local path
    if [[ -z $spare ]]; then
        printf 'skip    irq: every core is planned, none could take the interrupts\n'
        return 0
    fi
    set_value /proc/irq/default_smp_affinity "$(mask <<<"$spare")"
    for path in "$root"/proc/irq/*/smp_affinity_list; do
        if [[ -e $path ]]; then set_value "${path#"$root"}" "$(fold <<<"$spare")"; fi
    done
}

tune_thp() {
    set_value /sys/kernel/mm/transparent_hugepage/enabled madvise
    set_value /sys/kernel/mm/transparent_hugepage/khugepaged/defrag 0
}

tune_memory() {
    set_value /proc/sys/kernel/numa_balancing 0
    set_value /sys/kernel/mm/ksm/run 0
    set_value /proc/sys/vm/swappiness 1
}

tune_kernel() {
    set_value /proc/sys/kernel/nmi_watchdog 0
    # Timers of idle cores go to busy ones, so to those that spin; but never to tickless ones, and
    # then migration is what keeps theirs away.
    if [[ -n $(minus "$cores" "$(list_of /sys/devices/system/cpu/nohz_full)") ]]; then
        set_value /proc/sys/kernel/timer_migration 0
    fi
    set_value /proc/sys/vm/stat_interval 120
    if [[ -n $spare ]]; then
        set_value /sys/devices/virtual/workqueue/cpumask "$(mask <<<"$spare")"
    fi
}

apply() {
    local group
    cores=$(expand "$cores_text") || fail 2 "--cores: expected a list such as 2-7 or 1,3"
    local online siblings='' core text
    online=$(list_of /sys/devices/system/cpu/online)
    [[ -n $online ]] || fail 3 "the online cores are unreadable"
    text=$(minus "$cores" "$online")
    [[ -z $text ]] || fail 2 "--cores: $(fold <<<"$text") not online; online: $(fold <<<"$online")"
    for core in $cores; do
        siblings+=$'\n'$(list_of "/sys/devices/system/cpu/cpu$core/topology/thread_siblings_list")
    done
    spare=$(minus "$(minus "$online" "$cores")" "$siblings")
    # Isolated cores take interrupts only when there are no others.
    text=$(minus "$spare" "$(list_of /sys/devices/system/cpu/isolated)")
    if [[ -n $text ]]; then spare=$text; fi
    for group in $groups; do "tune_$group"; done
    local verb='changed'
    if ((dry_run)); then verb='would change'; fi
    printf '%s %d, already right %d, refused %d\n' "$verb" "$changed" "$kept" "$refused"
    if ((changed && !dry_run)); then printf 'undo with: tune-host.sh --undo --state %s\n' "$state"; fi
    ((refused == 0)) || exit 1
}

undo() {
    local path old left=''
    [[ -r $state ]] || fail 3 "$state: no state to restore"
    while IFS=$'\t' read -r path old; do
        if [[ $path == \#* || -z $path ]]; then continue; fi
        if [[ ! -e $root$path ]]; then
            printf 'gone    %s\n' "$path"
        elif same "$(value "$path")" "$old" "$(kind "$path")"; then
            kept=$((kept + 1))
        elif ((dry_run)); then
            printf 'would   %s: %s -> %s\n' "$path" "$(value "$path")" "$old"
        elif put "$path" "$old"; then
            printf 'restored %s: %s\n' "$path" "$old"
            changed=$((changed + 1))
        else
            printf 'refused %s: %s\n' "$path" "$old"
            left+=$path$'\t'$old$'\n' refused=$((refused + 1))
        fi
    done < <(tac "$state")
    if ((dry_run)); then exit 0; fi
    printf 'restored %d, already right %d, refused %d\n' "$changed" "$kept" "$refused"
    if [[ -n $left ]]; then
        printf '%s' "$left" | tac >"$state"
        exit 1
    fi
    rm -f -- "$state"
}

# --- command line
# -------------------------------------------------------------------------------------

root='' state='' cores_text='' groups=$GROUPS_ALL cores='' spare=''
dry_run=0 undo=0 changed=0 kept=0 refused=0
while (($#)); do
    case $1 in
        --dry-run) dry_run=1 ;;
        --undo) undo=1 ;;
        --cores | --only | --state | --root)
            (($# >= 2)) || fail 2 "$1 needs a value"
            case $1 in
                --cores) cores_text=$2 ;;
                --only) groups=${2//,/ } ;;
                --state) state=$2 ;;
                --root) root=${2%/} ;;
            esac
            shift
            ;;
        -h | --help) usage && exit 0 ;;
        *) fail 2 "unknown: $1; see --help" ;;
    esac
    shift
done
[[ -z $root || -d $root ]] || fail 3 "$root: not a folder"
state=${state:-$root/var/lib/pitlane/tune-host.state}
for group in $groups; do
    [[ " $GROUPS_ALL " == *" $group "* ]] || fail 2 "--only: $group is none of $GROUPS_ALL"
done
if [[ -z $root ]] && ((!dry_run && EUID != 0)); then
    fail 3 "only root may change these: sudo, or --dry-run to look"
fi
if ((undo)); then
    [[ -z $cores_text ]] || fail 2 "--undo takes no --cores"
    undo
else
    [[ -n $cores_text ]] || fail 2 "--cores is missing; \`doctor\` says which"
    apply
fi
