from gossamer_nuke import startup

startup.menu()
