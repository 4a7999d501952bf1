class _Render:
    def render(self, *, write_still: bool = ...) -> set[str]: ...

render: _Render
