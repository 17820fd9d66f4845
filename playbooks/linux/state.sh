# How the host is, as what is restored from its backup must be: its packages and the services of its boot. Only looks.
need_root
need_manager
make_work
tell_state
exit 0
