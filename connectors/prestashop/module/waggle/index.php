<?php
// A server that lists folders shows this instead.
header('Location: ../');
exit;
